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
    let first = backward_half(x << 16u, first_g & 0x7fffu);
    return packed_signed(Half(first, first_g), Half(backward_half(x, extractBits(second_g, 16u, 15u)), second_g));
}
// The magnitude of the slope times g, large, from x and from the magnitude of g. The slope is at most 1.
fn backward_half(x: u32, g: u32) -> u32 {
    let large_g = large(g);
    return select(bitcast<u32>(slope_at(x) * bitcast<f32>(large_g)), large_g, g >= 0x7c00u);
}

// Formulas of slope_at.

fn whole_slope(x: u32) -> f32 {
    return SLOPE;
}
// Half of it at the kinks. That is exact, so that it may be a factor before the rounding.
fn slope_by_kink(x: u32) -> f32 {
    return select(0.5 * SLOPE, SLOPE, is_whole(x));
}

// Halves at 2^24 times their size. There every half is an integer, so that none is a subnormal f32. These functions are for moderate
// definitions alone.

// A half's magnitude, in bits. Infinity and NaN become numbers too, 2^40 and more, of which packed_large makes the same half.
fn large(magnitude: u32) -> u32 {
    let bits = (magnitude << 13u) + 0x44000000u;
    // A subnormal half is 2n - 1024 here, if n is the float with these bits. That is less than n for these halves alone.
    return min(bits, bitcast<u32>(2.0 * bitcast<f32>(bits) - 1024.0));
}
// A half in its own size, from its magnitude and from a word that has its sign.
fn resized(magnitude: u32, sign: u32) -> u32 {
    return bitcast<u32>(bitcast<f32>(magnitude | (sign & SIGN)) * TWO_MINUS_24);
}
const TWO_MINUS_24: f32 = 5.9604644775390625e-8;
// Limits a magnitude to infinity, and keeps it apart from the sum in packed_large.
fn limited(magnitude: f32) -> u32 {
    return min(bitcast<u32>(magnitude), LARGE_INFINITE);
}
// Rounds two magnitudes to halves and packs them. It rounds to nearest, ties to even: the sum has the steps of a half as its last
// place, so that its last bits count them. A half's exponent stands above these bits. A limit, or a selection by the bits of an
// operand, has to keep the product that made a magnitude apart from this sum.
fn packed_large(first: u32, second: u32) -> u32 {
    let a = binade(first);
    let b = binade(second);
    let low = (steps_above(a, first) & 0xffffu) + (a >> 13u) - 0x24022400u;
    return low + ((b + (steps_above(b, second) << 13u)) << 3u);
}
// The power of two in a magnitude, in bits. It counts as 2^-14 if it is less.
fn binade(magnitude: u32) -> u32 {
    return max(magnitude & 0x7f800000u, 0x44800000u);
}
// The bits of a sum that is rounded to the steps of a half.
fn steps_above(binade: u32, magnitude: u32) -> u32 {
    return bitcast<u32>(8192.0 * bitcast<f32>(binade) + bitcast<f32>(magnitude));
}

const LARGE_INFINITE: u32 = 0x53800000u;
const INVALID_HALVES: u32 = 0xfe00fe00u; // INVALID_NAN as a half, twice
const QUIET_HALVES: u32 = 0x02000200u;
// A word of the first half of one word and the second half of another.
fn in_halves(first: u32, second: u32) -> u32 {
    return insertBits(second, first, 0u, 16u);
}

// The hard swish, two halves in each word.
fn hard_swish_halves(x: u32) -> u32 {
    let first = hard_swish_half(x & 0x7fffu, x << 16u);
    return packed_large(first, hard_swish_half(extractBits(x, 16u, 15u), x)) | (x & 0x80008000u);
}
// The magnitude of y, large, from that of x and from x in the upper bits. A NaN is quieted, and negative infinity gives a NaN.
fn hard_swish_half(magnitude: u32, x: u32) -> u32 {
    let a = large(magnitude);
    let y = bitcast<u32>(swish_product(bitcast<f32>(a), resized(a, x)));
    return select(y, a | QUIET, (magnitude > 0x7c00u) | ((x & 0xffff0000u) == 0xfc000000u));
}

// The gate, two halves in each word.
fn gate_halves(a: u32, b: u32) -> u32 {
    let first = gate_half(a & 0x7fffu, b & 0x7fffu, b << 16u);
    let second = gate_half(extractBits(a, 16u, 15u), extractBits(b, 16u, 15u), b);
    let y = quieted(packed_large(first.magnitude, second.magnitude)) | (a & 0x80008000u);
    return in_halves(settled_gate(y, b, first), settled_gate(y, b, second));
}
// What becomes of a half of a gate: its magnitude, large, or else b or INVALID_NAN.
struct GatedHalf {
    magnitude: u32,
    is_b: bool,
    is_invalid: bool,
}
// The magnitudes of a and b, and a word that has the sign of b. Infinity and NaN in a stay, unless b is NaN or y is zero.
fn gate_half(a: u32, b: u32, b_sign: u32) -> GatedHalf {
    let large_a = large(a);
    let number_b = resized(large(b), b_sign);
    // y is at most 1, so no product is larger than a.
    let product = bitcast<u32>(times_value(bitcast<f32>(large_a), number_b));
    let is_special = a >= 0x7c00u;
    let is_no_nan = a <= 0x7c00u;
    return GatedHalf(
        select(product, large_a, is_special),
        is_no_nan & (b > 0x7c00u),
        is_no_nan & is_special & (value(number_b) == 0u),
    );
}
fn settled_gate(y: u32, b: u32, half: GatedHalf) -> u32 {
    return select(select(y, INVALID_HALVES, half.is_invalid), b | QUIET_HALVES, half.is_b);
}

// db of the gate, two halves in each word.
fn gate_db_halves(a: u32, b: u32, g: u32) -> u32 {
    let first = gate_db_half(large(a & 0x7fffu), resized(large(b & 0x7fffu), b << 16u), large(g & 0x7fffu));
    let second_b = resized(large(extractBits(b, 16u, 15u)), b);
    let second = gate_db_half(large(extractBits(a, 16u, 15u)), second_b, large(extractBits(g, 16u, 15u)));
    let db = packed_large(first.magnitude, second.magnitude) | ((a ^ g) & 0x80008000u);
    return in_halves(settled_db(db, a, g, first), settled_db(db, a, g, second));
}
// What becomes of a half of db: its magnitude, large, or else a, g, INVALID_NAN or zero.
struct DbHalf {
    magnitude: u32,
    is_nan: bool,
    is_g: bool,
    is_invalid: bool,
    passes: bool,
}
// The magnitudes of a and g, large, and b in its own size.
fn gate_db_half(a: u32, b: u32, g: u32) -> DbHalf {
    let product = limited(slope_at(b) * TWO_MINUS_24 * apart(bitcast<f32>(g) * bitcast<f32>(a)));
    let larger = max(a, g);
    let is_special = larger >= LARGE_INFINITE;
    return DbHalf(
        select(product, LARGE_INFINITE, is_special),
        larger > LARGE_INFINITE,
        g > LARGE_INFINITE,
        is_special & (min(a, g) == 0u),
        passes(b),
    );
}
fn settled_db(db: u32, a: u32, g: u32, half: DbHalf) -> u32 {
    let nan = select(a | QUIET_HALVES, g | QUIET_HALVES, half.is_g);
    return select(0u, select(select(db, INVALID_HALVES, half.is_invalid), nan, half.is_nan), half.passes);
}

// dx + the gradient, rounded once after the sum. A gradient that doesn't pass counts as +0.
fn backward_accumulate_halves(x: u32, g: u32, dx: u32) -> u32 {
    let first_g = select(0u, g, passes(x << 16u));
    let second_g = select(0u, g, passes(x));
    let first = accumulated_half(slope_at(x << 16u), dx & 0x7fffu, dx << 16u, first_g & 0x7fffu, first_g << 16u);
    let second = accumulated_half(slope_at(x), extractBits(dx, 16u, 15u), dx, extractBits(second_g, 16u, 15u), second_g);
    return packed_sums(first, second, dx, first_g, second_g);
}
// The slope, the magnitudes of dx and g, and words that have their signs.
fn accumulated_half(slope: f32, dx: u32, dx_sign: u32, g: u32, g_sign: u32) -> SumHalf {
    let large_dx = large(dx) | (dx_sign & SIGN);
    let large_g = large(g) | (g_sign & SIGN);
    let is_special = max(dx, g) >= 0x7c00u;
    let is_no_nan = dx <= 0x7c00u;
    return SumHalf(
        bitcast<f32>(large_dx) + apart(slope * bitcast<f32>(large_g)),
        is_special,
        is_no_nan & (g > dx),
        is_special & is_no_nan & ((large_dx ^ large_g) == SIGN),
    );
}
// What becomes of a half that is a sum: the sum, large, or else g, another operand, or INVALID_NAN.
struct SumHalf {
    sum: f32,
    is_special: bool, // an operand, unless it is invalid
    is_g: bool,       // g, if it is an operand
    is_invalid: bool,
}
// Rounds two sums to halves and packs them. `other` has both halves of the other operand.
fn packed_sums(first: SumHalf, second: SumHalf, other: u32, first_g: u32, second_g: u32) -> u32 {
    let signs = in_halves(bitcast<u32>(first.sum) >> 16u, bitcast<u32>(second.sum)) & 0x80008000u;
    let sums = packed_large(limited(abs(first.sum)), limited(abs(second.sum))) | signs;
    let result = in_halves(settled_sum(sums, other, first_g, first), settled_sum(sums, other, second_g, second));
    return result | quiet_bits(result & 0x7fff7fffu);
}
fn settled_sum(sum: u32, other: u32, g: u32, half: SumHalf) -> u32 {
    return select(select(sum, select(other, g, half.is_g), half.is_special), INVALID_HALVES, half.is_invalid);
}

// Formulas of hard_swish_backward_halves, two halves in each word.

// The sum of the gate's two gradients.
fn summed_swish_backward(x: u32, g: u32) -> u32 {
    let first = swish_sum_half(x & 0x7fffu, x << 16u, g & 0x7fffu, g << 16u);
    let second = swish_sum_half(extractBits(x, 16u, 15u), x, extractBits(g, 16u, 15u), g);
    return packed_sums(first, second, x, g, g);
}
// The magnitudes of x and g, and words that have their signs.
fn swish_sum_half(x: u32, x_sign: u32, g: u32, g_sign: u32) -> SumHalf {
    let number_x = resized(large(x), x_sign);
    let large_g = bitcast<f32>(large(g) | (g_sign & SIGN));
    let inside = passes(number_x);
    let da = apart(times_value(large_g, number_x));
    let db = apart(slope_at(number_x) * apart(large_g * bitcast<f32>(number_x)));
    let is_special = g >= 0x7c00u;
    let is_no_nan = g <= 0x7c00u;
    let is_x = is_no_nan & (x > 0x7c00u);
    // Zero times infinity, or infinities of opposite signs.
    let is_invalid = (value(number_x) == 0u) | (inside & (bitcast<i32>(number_x) <= 0));
    return SumHalf(
        da + bitcast<f32>(select(0u, bitcast<u32>(db), inside)),
        is_special | is_x,
        !is_x,
        is_special & is_no_nan & !is_x & is_invalid,
    );
}
// PyTorch's.
fn divided_swish_backward(x: u32, g: u32) -> u32 {
    let first = hard_swish_backward_half(x & 0x7fffu, x << 16u, g & 0x7fffu);
    let second = hard_swish_backward_half(extractBits(x, 16u, 15u), x, extractBits(g, 16u, 15u));
    let factors = in_halves(first.factor >> 16u, second.factor);
    let dx = packed_large(first.magnitude, second.magnitude) | ((factors ^ g) & 0x80008000u);
    return in_halves(settled_swish(dx, x, g, first), settled_swish(dx, x, g, second));
}
// What becomes of a half of dx: its magnitude, large, and the factor, which has its sign, or else x, g, INVALID_NAN or zero.
struct SwishHalf {
    magnitude: u32,
    factor: u32,
    is_x: bool,
    is_zero: bool,
    is_g: bool,
    is_invalid: bool,
}
// The magnitudes of x and g, and a word that has the sign of x.
fn hard_swish_backward_half(x: u32, x_sign: u32, g: u32) -> SwishHalf {
    let large_x = bitcast<f32>(large(x) | (x_sign & SIGN));
    let inside = bitcast<u32>(TWO_MINUS_24 * apart(third(large_x)) + 0.5);
    let factor = select(inside, ONE, x >= 0x4200u);
    let product = limited(bitcast<f32>(large(g)) * abs(bitcast<f32>(factor)));
    let is_special = g >= 0x7c00u;
    return SwishHalf(
        select(product, LARGE_INFINITE, is_special),
        factor,
        x > 0x7c00u,
        x_sign >= 0xc2000000u,
        g > 0x7c00u,
        is_special & (factor == 0u),
    );
}
fn settled_swish(dx: u32, x: u32, g: u32, half: SwishHalf) -> u32 {
    let passed = select(select(dx, INVALID_HALVES, half.is_invalid), g | QUIET_HALVES, half.is_g);
    return select(select(passed, 0u, half.is_zero), x | QUIET_HALVES, half.is_x);
}

// A result: its magnitude, large, and a word that has its sign where the half will be.
struct Half {
    magnitude: u32,
    sign: u32,
}
// Rounds two results to halves, quiets those that are NaN, and packs them.
fn packed_signed(first: Half, second: Half) -> u32 {
    let magnitudes = packed_large(first.magnitude, second.magnitude);
    return quieted(magnitudes) | (first.sign & 0x8000u) | (second.sign & SIGN);
}
// A word without signs, whose halves that are NaN get their quiet bits.
fn quieted(magnitudes: u32) -> u32 {
    return magnitudes | quiet_bits(magnitudes);
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
