// What halves.wgsl needs to know of f16.

// Widens halves in the upper bits to f32, and returns its bits. That is exact, and a NaN keeps its payload.
fn widened(x: u32) -> u32 {
    let magnitude = extractBits(x, 16u, 15u);
    let finite = widened_finite(magnitude);
    // The exponent of infinity and NaN is 31 in f16 and 255 in f32, so it grows by 224, which is twice 112.
    let special = (magnitude << 13u) + 0x70000000u;
    return (x & SIGN) | select(finite, special, magnitude >= 0x7c00u);
}
// Widens an f16 that is finite and has no sign.
fn widened_finite(h: u32) -> u32 {
    // 112 is the difference of the exponents' biases.
    let normal = (h << 13u) + 0x38000000u;
    // Subnormal halves are multiples of 2^-24, and floats from 0.5 on are 2^-24 apart.
    let subnormal = bitcast<u32>(bitcast<f32>(h + 0x3f000000u) - 0.5);
    return select(normal, subnormal, h < 0x0400u);
}

// Rounds two f32 numbers, given as bits, to halves and packs them. It rounds to nearest, ties to even. A NaN has to be quiet, and
// its lower 13 bits have to be 0, as they are after widening a half.
fn packed_results(first: u32, second: u32) -> u32 {
    let magnitudes = narrowed_magnitude(first) | (narrowed_magnitude(second) << 16u);
    return magnitudes | ((first >> 16u) & 0x8000u) | (second & SIGN);
}
fn narrowed_magnitude(bits: u32) -> u32 {
    let magnitude = magnitude_of(bits);
    let normal = narrowed_normal(magnitude);
    // Numbers from 65520 on round to infinity. The last ten bits of a NaN are its payload.
    let finite = min(narrowed_finite(magnitude), 0x7c00u);
    let nan = (normal & 0x03ffu) | 0x7c00u;
    return select(finite, nan, magnitude > INFINITE);
}
// Rounds an f32 that has no sign to f16. Beyond the largest f16 the result is the bits of infinity, or more.
fn narrowed_finite(bits: u32) -> u32 {
    // Below 2^-14 a half is a multiple of 2^-24. Floats from 0.5 on are 2^-24 apart, so the sum rounds to such a multiple.
    // The minimum keeps the operation that made the number apart from the sum.
    let smallest = 0x38800000u;
    let sum = bitcast<u32>(bitcast<f32>(min(bits, smallest)) + 0.5);
    return select(narrowed_normal(bits), sum - 0x3f000000u, bits < smallest);
}
fn narrowed_normal(bits: u32) -> u32 {
    return (rounded(bits, 13u) - 0x38000000u) >> 13u;
}

// y of a preset. The halves of x are in the upper bits, and so are those of y. The bits of an f16, shifted to the right by 3,
// are those of an f32 that is 2^112 times smaller. It is finite, whatever the half is.
fn forward_half(x: u32) -> u32 {
    let small = bitcast<f32>(bitcast<u32>(bitcast<i32>(x) >> 3u) & 0x8fffe000u);
    let v = SLOPE * small + SHIFT * TWO_MINUS_112;
    let y = rounded(clamped(v, TWO_MINUS_112), 13u) << 3u;
    return select(y, x | 0x02000000u, magnitude_of(x) > 0x7c00ffffu);
}
const TWO_MINUS_112: f32 = 1.925929944387235853055977942584927318538e-34;

// dx, two halves in each word of x, g and dx. It rounds the product to f32 and then to a half, as the CPU path does.
fn product_halves(x: u32, g: u32) -> u32 {
    let first_g = select(0u, g, passes(x << 16u));
    let second_g = select(0u, g, passes(x));
    let first = backward_half(first_g & 0x7fffu);
    return packed_signed(Half(first, first_g), Half(backward_half(extractBits(second_g, 16u, 15u)), second_g));
}
// The magnitude of the slope times g, large, from the magnitude of g.
fn backward_half(g: u32) -> u32 {
    let large_g = large(g);
    return select(limited(SLOPE * bitcast<f32>(large_g)), large_g, g >= 0x7c00u);
}

// Halves at 2^24 times their size. There every half is an integer, so that none is a subnormal f32. These functions are for moderate
// definitions alone.

// A half's magnitude, in bits. Infinity and NaN become numbers too, 2^40 and more, of which packed_large makes the same half.
fn large(magnitude: u32) -> u32 {
    let normal = (magnitude << 13u) + 0x44000000u;
    return select(normal, bitcast<u32>(f32(magnitude)), magnitude < 0x0400u);
}
// A half in its own size, from its magnitude and from a word that has its sign.
fn resized(magnitude: u32, sign: u32) -> u32 {
    return bitcast<u32>(bitcast<f32>(magnitude | (sign & SIGN)) * TWO_MINUS_24);
}
const TWO_MINUS_24: f32 = 5.9604644775390625e-8;
// Limits a product without a sign to infinity, and keeps it apart from the sum in packed_large.
fn limited(product: f32) -> u32 {
    return min(bitcast<u32>(product), LARGE_INFINITE);
}
// Rounds two magnitudes to halves and packs them. It rounds to nearest, ties to even: the sum has the steps of a half as its last
// place, so that its last bits count them. A half's exponent stands above these bits.
fn packed_large(first: u32, second: u32) -> u32 {
    let a = rounder(first);
    let b = rounder(second);
    let steps = (steps_above(a, first) & 0xffffu) | (steps_above(b, second) << 16u);
    return steps + ((a >> 13u) + (b << 3u) - 0x58025800u);
}
// A power of two, in bits, whose sum with a magnitude is rounded to the steps of a half: 2^13 times the power of two in the
// magnitude, which counts as 2^-14 if it is less.
fn rounder(magnitude: u32) -> u32 {
    return max(magnitude & 0x7f800000u, 0x44800000u) + 0x06800000u;
}
fn steps_above(rounder: u32, magnitude: u32) -> u32 {
    return bitcast<u32>(bitcast<f32>(rounder) + bitcast<f32>(magnitude));
}

// The hard swish, two halves in each word.
fn hard_swish_halves(x: u32) -> u32 {
    let first = hard_swish_half(x & 0x7fffu, x << 16u);
    return packed_large(first, hard_swish_half(extractBits(x, 16u, 15u), x)) | (x & 0x80008000u);
}
// The magnitude of y, large, from that of x and from x in the upper bits. A NaN is quieted, and negative infinity gives a NaN.
fn hard_swish_half(magnitude: u32, x: u32) -> u32 {
    let a = large(magnitude);
    let y = limited(swish_product(bitcast<f32>(a), resized(a, x)));
    return select(y, a | QUIET, (magnitude > 0x7c00u) | ((x & 0xffff0000u) == 0xfc000000u));
}

// The gate, two halves in each word.
fn gate_halves(a: u32, b: u32) -> u32 {
    let first = gate_half(a & 0x7fffu, a, b & 0x7fffu, b, b << 16u);
    let second = gate_half(extractBits(a, 16u, 15u), a, extractBits(b, 16u, 15u), b, b);
    return packed_signed(first, second);
}
// The magnitudes of a and b, the words that they are from, and a word that has the sign of b.
fn gate_half(a: u32, a_word: u32, b: u32, b_word: u32, b_sign: u32) -> Half {
    let large_a = large(a);
    let large_b = large(b);
    let number_b = resized(large_b, b_sign);
    let product = limited(times_value(bitcast<f32>(large_a), number_b));
    // Infinity and NaN in a stay, unless b is NaN or y is zero.
    let is_nan = b > 0x7c00u;
    let is_other = ((a <= 0x7c00u) & is_nan) | ((a == 0x7c00u) & (value(number_b) == 0u));
    let result = select(product, large_a, a >= 0x7c00u);
    return Half(
        select(result, select(LARGE_NAN, large_b, is_nan), is_other),
        select(a_word, select(SIGN_OF_BOTH, b_word, is_nan), is_other),
    );
}
const LARGE_INFINITE: u32 = 0x53800000u;
const LARGE_NAN: u32 = 0x53c00000u; // INVALID_NAN without its sign
const SIGN_OF_BOTH: u32 = 0x80008000u;

// db of the gate, two halves in each word.
fn gate_db_halves(a: u32, b: u32, g: u32) -> u32 {
    let first_b = resized(large(b & 0x7fffu), b << 16u);
    let second_b = resized(large(extractBits(b, 16u, 15u)), b);
    let first = gate_db_half(large(a & 0x7fffu), a, first_b, large(g & 0x7fffu), g);
    let second = gate_db_half(large(extractBits(a, 16u, 15u)), a, second_b, large(extractBits(g, 16u, 15u)), g);
    return packed_signed(first, second);
}
// The magnitudes of a and g, large, and the words that they are from. b has its own size.
fn gate_db_half(a: u32, a_word: u32, b: u32, g: u32, g_word: u32) -> Half {
    let product = limited(SLOPE * TWO_MINUS_24 * apart(bitcast<f32>(g) * bitcast<f32>(a)));
    let larger = max(a, g);
    let is_g = g > LARGE_INFINITE;
    let finite = select(product, select(larger, g, is_g), larger >= LARGE_INFINITE);
    let sign = select(a_word ^ g_word, select(a_word, g_word, is_g), larger > LARGE_INFINITE);
    let invalid = (larger == LARGE_INFINITE) & (min(a, g) == 0u);
    let inside = passes(b);
    return Half(
        select(0u, select(finite, LARGE_NAN, invalid), inside),
        select(0u, select(sign, SIGN_OF_BOTH, invalid), inside),
    );
}

// dx + the gradient, rounded once after the sum. A gradient that doesn't pass counts as +0.
fn backward_accumulate_halves(x: u32, g: u32, dx: u32) -> u32 {
    let first_g = select(0u, g, passes(x << 16u));
    let second_g = select(0u, g, passes(x));
    let first = accumulated_half(dx & 0x7fffu, dx << 16u, first_g & 0x7fffu, first_g << 16u);
    let second = accumulated_half(extractBits(dx, 16u, 15u), dx, extractBits(second_g, 16u, 15u), second_g);
    return packed_signed(Half(first.magnitude, first.sign >> 16u), second);
}
// The magnitudes of dx and g, and words that have their signs. So has the result.
fn accumulated_half(dx: u32, dx_sign: u32, g: u32, g_sign: u32) -> Half {
    let large_dx = large(dx) | (dx_sign & SIGN);
    let large_g = large(g) | (g_sign & SIGN);
    let sum = bitcast<u32>(bitcast<f32>(large_dx) + apart(SLOPE * bitcast<f32>(large_g)));
    let is_g = (dx <= 0x7c00u) & (g > dx);
    let opposite = (dx == 0x7c00u) & ((large_dx ^ large_g) == SIGN);
    let special = select(select(large_dx, large_g, is_g), LARGE_NAN | SIGN, opposite);
    let is_special = max(dx, g) >= 0x7c00u;
    return Half(
        select(limited(bitcast<f32>(magnitude_of(sum))), magnitude_of(special), is_special),
        select(sum, special, is_special),
    );
}

// PyTorch's gradient of the hard swish, two halves in each word. A gradient where x is at most -3 counts as +0.
fn hard_swish_backward_halves(x: u32, g: u32) -> u32 {
    let first_x = resized(large(x & 0x7fffu), x << 16u);
    let second_x = resized(large(extractBits(x, 16u, 15u)), x);
    let first_g = select(g, 0u, (x << 16u) >= 0xc2000000u);
    let second_g = select(g, 0u, x >= 0xc2000000u);
    let first = hard_swish_backward_half(x & 0x7fffu, x << 16u, first_x, first_g & 0x7fffu, first_g << 16u);
    let second =
        hard_swish_backward_half(extractBits(x, 16u, 15u), x, second_x, extractBits(second_g, 16u, 15u), second_g);
    return packed_signed(Half(first.magnitude, first.sign >> 16u), second);
}
// The magnitudes of x and g, words that have their signs, and x in its own size. The result has its sign where they have theirs.
fn hard_swish_backward_half(x: u32, x_sign: u32, number_x: u32, g: u32, g_sign: u32) -> Half {
    let large_g = large(g);
    let factor = swish_factor(number_x);
    let product = limited(bitcast<f32>(large_g) * bitcast<f32>(magnitude_of(factor)));
    let is_nan = x > 0x7c00u;
    let is_other = is_nan | ((g == 0x7c00u) & (factor == 0u));
    let result = select(product, large_g, g >= 0x7c00u);
    let sign = g_sign ^ select(factor, 0u, g > 0x7c00u);
    return Half(
        select(result, select(LARGE_NAN, large(x), is_nan), is_other),
        select(sign, select(SIGN, x_sign, is_nan), is_other),
    );
}

// A result: its magnitude, large, and a word that has its sign where the half will be.
struct Half {
    magnitude: u32,
    sign: u32,
}
// Rounds two results to halves, quiets those that are NaN, and packs them.
fn packed_signed(first: Half, second: Half) -> u32 {
    let magnitudes = packed_large(first.magnitude, second.magnitude);
    return magnitudes | quiet_bits(magnitudes) | (first.sign & 0x8000u) | (second.sign & SIGN);
}
// The quiet bits of the halves that are NaN, in a word without signs. Adding 0x03ff to a half sets the half's upper bit only if it
// is above infinity's, 0x7c00.
fn quiet_bits(magnitudes: u32) -> u32 {
    return ((magnitudes + 0x03ff03ffu) >> 6u) & 0x02000200u;
}

// Whether halves in the upper bits are at least 0.
fn is_plus_half(x: u32) -> bool {
    return (x <= 0x7c00ffffu) | ((x & 0xffff0000u) == SIGN);
}
