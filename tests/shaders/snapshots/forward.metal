// language: metal2.0
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
};

struct Params {
    float slope;
    float shift;
    float prescale;
    uint nan_threshold;
    metal::uint4 passing;
    metal::uint4 whole;
    uint opaque_zero;
    uint len;
    uint row_invocations;
    float magnitude;
    metal::uint2 seed;
    metal::uint2 offset;
    uint middle;
    uint inner;
    uint first;
    uint b_first;
};
typedef metal::uint4 type_7[1];
struct Random {
    metal::uint4 low;
    metal::uint4 high;
};
constant uint F32_ = 0u;
constant uint F16_ = 1u;
constant uint BF16_ = 2u;
constant uint AFFINE = 0u;
constant uint RARE = 1u;
constant uint RELU6_DIVIDE = 2u;
constant uint RELU6_MULTIPLY = 3u;
constant uint RELU6_DIVIDE_BOTH = 4u;
constant uint HALF_KINKS = 5u;
constant uint HALVES = 6u;
constant uint QUIET = 4194304u;
constant uint INVALID_NAN = 4290772992u;
constant uint INFINITE = 2139095040u;
constant float SIXTH = 0.16666667;
constant float THIRD = 0.33333334;
constant float TWO_MINUS_112_ = 0.000000000000000000000000000000000192593;
constant uint FORWARD = 0u;
constant uint BACKWARD = 1u;
constant uint BACKWARD_ACCUMULATE = 2u;
constant uint GATE = 3u;
constant uint GATE_BACKWARD = 4u;
constant uint HARD_SWISH = 5u;
constant uint HARD_SWISH_BACKWARD = 6u;
constant uint BINARIZE = 7u;
constant uint PACK = 8u;
constant uint UNPACK = 9u;
constant uint WORKGROUP = 256u;
constant uint SUMS = 16u;
constant uint LANES = 16u;
constant uint WIDE = 8u;
constant uint KERNEL = 0u;
constant uint DTYPE = 0u;
constant uint FORMULA = 2u;
constant bool STOCHASTIC = false;

bool is_rare(
) {
    bool local = {};
    if (true) {
        local = false;
    } else {
        local = true;
    }
    bool _e14 = local;
    return _e14;
}

metal::uint4 magnitude4_(
    metal::uint4 v
) {
    return v & metal::uint4(2147483647u);
}

metal::uint4 unless_nan(
    metal::uint4 product,
    metal::uint4 operand,
    Params params
) {
    metal::uint4 quieted = operand | metal::uint4(4194304u);
    bool _e6 = is_rare();
    if (_e6) {
        metal::uint4 _e9 = magnitude4_(operand);
        metal::uint4 nan = metal::select(quieted, metal::uint4(4290772992u), _e9 == metal::uint4(2139095040u));
        metal::uint4 _e14 = magnitude4_(operand);
        return metal::select(product, nan, _e14 >= metal::uint4(params.nan_threshold));
    }
    metal::uint4 _e19 = magnitude4_(operand);
    return metal::select(product, quieted, _e19 > metal::uint4(2139095040u));
}

metal::float4 opaque(
    metal::float4 v_1,
    Params params_1
) {
    return as_type<metal::float4>(as_type<metal::uint4>(v_1) ^ metal::uint4(params_1.opaque_zero));
}

metal::float4 sixth(
    metal::float4 t,
    Params params_2
) {
    metal::float4 _e4 = opaque(t * SIXTH, params_2);
    metal::float4 _e8 = opaque(t - (4.0 * _e4), params_2);
    metal::float4 _e12 = opaque(_e8 - (2.0 * _e4), params_2);
    return _e4 + (_e12 * SIXTH);
}

metal::uint4 clamped(
    metal::float4 v_2,
    float top
) {
    return as_type<metal::uint4>(metal::clamp(as_type<metal::int4>(v_2), metal::int4(0), metal::int4(as_type<int>(top))));
}

metal::float4 relu6_(
    metal::uint4 x
) {
    metal::uint4 _e6 = clamped(as_type<metal::float4>(x) + metal::float4(3.0), 6.0);
    return as_type<metal::float4>(_e6);
}

metal::float4 prescaled(
    metal::uint4 operand_1,
    Params params_3
) {
    bool _e2 = is_rare();
    if (_e2) {
        metal::float4 _e6 = opaque(as_type<metal::float4>(operand_1) * params_3.prescale, params_3);
        return _e6;
    }
    return as_type<metal::float4>(operand_1);
}

metal::uint4 value4_(
    metal::uint4 x_1,
    Params params_4
) {
    bool local_1 = {};
    if (false) {
        local_1 = false;
    } else {
        local_1 = true;
    }
    bool _e16 = local_1;
    if (_e16) {
        metal::float4 _e17 = relu6_(x_1);
        metal::float4 _e18 = sixth(_e17, params_4);
        return as_type<metal::uint4>(_e18);
    }
    if (false) {
        metal::float4 _e25 = relu6_(x_1);
        return as_type<metal::uint4>(_e25 * SIXTH);
    }
    metal::float4 _e30 = prescaled(x_1, params_4);
    metal::float4 _e32 = opaque(params_4.slope * _e30, params_4);
    metal::uint4 _e37 = clamped(_e32 + metal::float4(params_4.shift), 1.0);
    return _e37;
}

metal::uint4 forward4_(
    metal::uint4 x_2,
    Params params_5
) {
    metal::uint4 _e2 = value4_(x_2, params_5);
    metal::uint4 _e3 = unless_nan(_e2, x_2, params_5);
    return _e3;
}

metal::uint4 naga_div(metal::uint4 lhs, metal::uint4 rhs) {
    return lhs / metal::select(rhs, 1u, rhs == 0u);
}

metal::uint4 divided_by_6_(
    metal::uint4 p
) {
    metal::uint4 _e1 = magnitude4_(p);
    metal::uint4 exponent = _e1 >> metal::uint4(23u);
    metal::uint4 fraction = p & metal::uint4(8388607u);
    metal::bool4 is_tiny = exponent < metal::uint4(4u);
    metal::uint4 shift = metal::select(metal::uint4(3u), metal::uint4(2u), fraction >= metal::uint4(4194304u));
    metal::uint4 shift_of_tiny = metal::max(exponent, metal::uint4(1u)) - metal::uint4(1u);
    metal::uint4 mantissa = fraction | metal::select(metal::uint4(8388608u), metal::uint4(0u), exponent == metal::uint4(0u));
    metal::uint4 dividend = mantissa << metal::select(shift, shift_of_tiny, is_tiny);
    metal::uint4 quotient = naga_div(dividend, metal::uint4(6u));
    metal::uint4 remainder = dividend - (metal::uint4(6u) * quotient);
    metal::bool4 rounds_up = (remainder + (quotient & metal::uint4(1u))) > metal::uint4(3u);
    metal::uint4 above = metal::select(((exponent - shift) - metal::uint4(1u)) << metal::uint4(23u), metal::uint4(0u), is_tiny);
    metal::uint4 finite = (above + quotient) + metal::select(metal::uint4(0u), metal::uint4(1u), rounds_up);
    return (p & metal::uint4(2147483648u)) | metal::select(finite, metal::uint4(2139095040u), exponent == metal::uint4(255u));
}

metal::uint4 unless_either_nan(
    metal::uint4 result,
    metal::uint4 a,
    metal::uint4 b
) {
    metal::uint4 _e6 = magnitude4_(b);
    metal::uint4 first = metal::select(result, b | metal::uint4(4194304u), _e6 > metal::uint4(2139095040u));
    metal::uint4 _e14 = magnitude4_(a);
    return metal::select(first, a | metal::uint4(4194304u), _e14 > metal::uint4(2139095040u));
}

metal::uint4 settled(
    metal::float4 product_1,
    metal::uint4 a_1,
    metal::uint4 b_1,
    uint other
) {
    metal::uint4 _e4 = magnitude4_(a_1);
    metal::uint4 _e5 = magnitude4_(b_1);
    metal::uint4 larger = metal::max(_e4, _e5);
    metal::uint4 _e7 = magnitude4_(a_1);
    metal::uint4 _e8 = magnitude4_(b_1);
    metal::uint4 smaller = metal::min(_e7, _e8);
    metal::uint4 signed_infinite = (((a_1 ^ b_1) ^ metal::uint4(other)) & metal::uint4(2147483648u)) | metal::uint4(2139095040u);
    metal::uint4 infinite = metal::select(signed_infinite, metal::uint4(4290772992u), smaller == metal::uint4(0u));
    metal::uint4 _e30 = unless_either_nan(metal::select(as_type<metal::uint4>(product_1), infinite, larger == metal::uint4(2139095040u)), a_1, b_1);
    return _e30;
}

metal::uint4 product4_(
    metal::uint4 a_2,
    metal::uint4 b_2,
    Params params_6
) {
    metal::float4 _e6 = opaque(as_type<metal::float4>(a_2) * as_type<metal::float4>(b_2), params_6);
    metal::uint4 _e8 = settled(_e6, a_2, b_2, 0u);
    return _e8;
}

metal::uint4 gate4_(
    metal::uint4 a_3,
    metal::uint4 b_3,
    Params params_7
) {
    bool _e3 = is_rare();
    if (_e3) {
        metal::uint4 _e4 = forward4_(b_3, params_7);
        metal::uint4 _e5 = product4_(a_3, _e4, params_7);
        return _e5;
    }
    metal::uint4 _e6 = value4_(b_3, params_7);
    metal::float4 _e9 = opaque(as_type<metal::float4>(_e6), params_7);
    metal::uint4 product_2 = as_type<metal::uint4>(as_type<metal::float4>(a_3) * _e9);
    metal::uint4 _e12 = magnitude4_(a_3);
    metal::bool4 invalid = (_e12 == metal::uint4(2139095040u)) & (_e6 == metal::uint4(0u));
    metal::uint4 _e23 = unless_either_nan(metal::select(product_2, metal::uint4(4290772992u), invalid), a_3, b_3);
    return _e23;
}

metal::uint4 hard_swish4_(
    metal::uint4 x_3,
    Params params_8
) {
    if (true) {
        metal::float4 _e8 = relu6_(x_3);
        metal::uint4 _e11 = divided_by_6_(as_type<metal::uint4>(as_type<metal::float4>(x_3) * _e8));
        metal::uint4 settled_1 = metal::select(_e11, metal::uint4(4290772992u), x_3 == metal::uint4(4286578688u));
        metal::uint4 _e18 = unless_nan(settled_1, x_3, params_8);
        return _e18;
    }
    metal::uint4 _e19 = gate4_(x_3, x_3, params_8);
    return _e19;
}

metal::uint2 product_high(
    metal::uint2 a_4,
    metal::uint2 b_4
) {
    metal::uint2 low_3 = metal::uint2(65535u);
    metal::uint2 bits_4 = metal::uint2(16u);
    metal::uint2 middle = ((a_4 >> bits_4) * (b_4 & low_3)) + (((a_4 & low_3) * (b_4 & low_3)) >> bits_4);
    metal::uint2 other_1 = ((a_4 & low_3) * (b_4 >> bits_4)) + (middle & low_3);
    return (((a_4 >> bits_4) * (b_4 >> bits_4)) + (middle >> bits_4)) + (other_1 >> bits_4);
}

metal::uint4 philox(
    metal::uint2 block,
    metal::uint2 seed
) {
    metal::uint4 counter = {};
    metal::uint2 key = {};
    uint round = 0u;
    metal::uint2 factors = metal::uint2(3528531795u, 3449720151u);
    counter = metal::uint4(block, 0u, 0u);
    key = seed;
    uint2 loop_bound = uint2(4294967295u);
    bool loop_init = true;
    while(true) {
        if (metal::all(loop_bound == uint2(0u))) { break; }
        loop_bound -= uint2(loop_bound.y == 0u, 1u);
        if (!loop_init) {
            uint _e44 = round;
            round = _e44 + 1u;
        }
        loop_init = false;
        uint _e12 = round;
        if (_e12 < 10u) {
        } else {
            break;
        }
        {
            metal::uint4 _e15 = counter;
            metal::uint2 _e17 = product_high(factors, _e15.xz);
            metal::uint4 _e18 = counter;
            metal::uint2 low_4 = factors * _e18.xz;
            uint _e23 = counter.y;
            uint _e26 = key.x;
            uint _e31 = counter.w;
            uint _e34 = key.y;
            counter = metal::uint4((_e17.y ^ _e23) ^ _e26, low_4.y, (_e17.x ^ _e31) ^ _e34, low_4.x);
            metal::uint2 _e38 = key;
            key = _e38 + metal::uint2(2654435769u, 3144134277u);
        }
    }
    metal::uint4 _e46 = counter;
    return _e46;
}

metal::uint4 random4_(
    uint element,
    metal::uint2 seed_1,
    metal::uint2 offset
) {
    uint low_5 = offset.x + element;
    uint high_3 = offset.y + ((low_5 < element) ? 1u : 0u);
    metal::uint2 block_1 = metal::uint2((low_5 >> 2u) | (high_3 << 30u), high_3 >> 2u);
    metal::uint4 _e19 = philox(block_1, seed_1);
    uint skipped = low_5 & 3u;
    if (skipped == 0u) {
        return _e19;
    }
    uint next_high = (block_1.y + ((block_1.x == 4294967295u) ? 1u : 0u)) & 1073741823u;
    metal::uint4 _e38 = philox(metal::uint2(block_1.x + 1u, next_high), seed_1);
    if (skipped == 1u) {
        return metal::uint4(_e19.yzw, _e38.x);
    }
    if (skipped == 2u) {
        return metal::uint4(_e19.zw, _e38.xy);
    }
    return metal::uint4(_e19.w, _e38.xyz);
}

metal::uint4 naga_f2u32(metal::float4 value) {
    return static_cast<metal::uint4>(metal::clamp(value, 0.0, 4294967000.0));
}

metal::bool4 is_plus4_(
    metal::uint4 x_4,
    metal::uint4 random,
    Params params_9
) {
    if (true) {
        return (x_4 <= metal::uint4(2139095040u)) | (x_4 == metal::uint4(2147483648u));
    }
    metal::uint4 _e13 = forward4_(x_4, params_9);
    metal::uint4 below = naga_f2u32(metal::ceil(as_type<metal::float4>(_e13) * 4294967300.0));
    metal::bool4 drawn = random < metal::max(below, metal::min(_e13, metal::uint4(1u)));
    metal::uint4 one = metal::uint4(1065353216u);
    return (_e13 == one) | ((_e13 < one) & drawn);
}

metal::uint4 signed4_(
    metal::bool4 is_plus,
    Params params_10
) {
    uint plus = as_type<uint>(params_10.magnitude);
    return metal::select(metal::uint4(plus ^ 2147483648u), metal::uint4(plus), is_plus);
}

metal::uint4 binarize4_(
    metal::uint4 x_5,
    metal::uint4 random_1,
    Params params_11
) {
    metal::bool4 _e3 = is_plus4_(x_5, random_1, params_11);
    metal::uint4 _e4 = signed4_(_e3, params_11);
    return _e4;
}

metal::uint4 widened_finite(
    metal::uint4 h
) {
    metal::uint4 normal = (h << metal::uint4(13u)) + metal::uint4(939524096u);
    metal::uint4 subnormal = as_type<metal::uint4>(as_type<metal::float4>(h + metal::uint4(1056964608u)) - metal::float4(0.5));
    return metal::select(normal, subnormal, h < metal::uint4(1024u));
}

metal::uint4 widened(
    metal::uint4 x_6
) {
    if (false) {
        return x_6 & metal::uint4(4294901760u);
    }
    metal::uint4 magnitude = metal::extract_bits(x_6, metal::min(16u, 32u), metal::min(15u, 32u - metal::min(16u, 32u)));
    metal::uint4 _e12 = widened_finite(magnitude);
    metal::uint4 special = (magnitude << metal::uint4(13u)) + metal::uint4(1879048192u);
    return (x_6 & metal::uint4(2147483648u)) | metal::select(_e12, special, magnitude >= metal::uint4(31744u));
}

metal::uint4 rounded(
    metal::uint4 bits,
    uint places
) {
    return (bits + metal::uint4((1u << (places - 1u)) - 1u)) + metal::extract_bits(bits, metal::min(places, 32u), metal::min(1u, 32u - metal::min(places, 32u)));
}

metal::uint4 narrowed_normal(
    metal::uint4 bits_1
) {
    metal::uint4 _e2 = rounded(bits_1, 13u);
    return (_e2 - metal::uint4(939524096u)) >> metal::uint4(13u);
}

metal::uint4 narrowed_finite(
    metal::uint4 bits_2,
    Params params_12
) {
    metal::float4 _e3 = opaque(as_type<metal::float4>(bits_2), params_12);
    metal::uint4 sum = as_type<metal::uint4>(_e3 + metal::float4(0.5));
    metal::uint4 _e8 = narrowed_normal(bits_2);
    return metal::select(_e8, sum - metal::uint4(1056964608u), bits_2 < metal::uint4(947912704u));
}

metal::uint4 narrowed_magnitude(
    metal::uint4 bits_3,
    Params params_13
) {
    metal::uint4 _e2 = magnitude4_(bits_3);
    metal::uint4 _e3 = narrowed_normal(_e2);
    metal::uint4 _e4 = narrowed_finite(_e2, params_13);
    metal::uint4 finite_1 = metal::min(_e4, metal::uint4(31744u));
    metal::uint4 nan_1 = (_e3 & metal::uint4(1023u)) | metal::uint4(31744u);
    return metal::select(finite_1, nan_1, _e2 > metal::uint4(2139095040u));
}

metal::uint4 low(
    metal::uint4 words
) {
    metal::uint4 _e4 = widened(words << metal::uint4(16u));
    return _e4;
}

metal::uint4 high(
    metal::uint4 words_1
) {
    metal::uint4 _e1 = widened(words_1);
    return _e1;
}

metal::uint4 packed_results(
    metal::uint4 low_1,
    metal::uint4 high_1,
    Params params_14
) {
    if (false) {
        metal::uint4 _e9 = rounded(low_1, 16u);
        metal::uint4 _e14 = rounded(high_1, 16u);
        return (_e9 >> metal::uint4(16u)) | (_e14 & metal::uint4(4294901760u));
    }
    metal::uint4 _e19 = narrowed_magnitude(low_1, params_14);
    metal::uint4 _e20 = narrowed_magnitude(high_1, params_14);
    metal::uint4 magnitudes = _e19 | (_e20 << metal::uint4(16u));
    return (magnitudes | ((low_1 >> metal::uint4(16u)) & metal::uint4(32768u))) | (high_1 & metal::uint4(2147483648u));
}

metal::uint4 forward_half(
    metal::uint4 x_7,
    Params params_15
) {
    if (false) {
        metal::uint4 _e8 = widened(x_7);
        metal::uint4 _e15 = clamped((params_15.slope * as_type<metal::float4>(_e8)) + metal::float4(params_15.shift), 1.0);
        metal::uint4 _e16 = widened(x_7);
        metal::uint4 _e17 = unless_nan(_e15, _e16, params_15);
        metal::uint4 _e19 = rounded(_e17, 16u);
        return _e19;
    }
    metal::float4 small = as_type<metal::float4>(as_type<metal::uint4>(as_type<metal::int4>(x_7) >> metal::uint4(3u)) & metal::uint4(2415910912u));
    metal::float4 v_3 = (params_15.slope * small) + metal::float4(params_15.shift * TWO_MINUS_112_);
    metal::uint4 _e37 = clamped(v_3, TWO_MINUS_112_);
    metal::uint4 _e39 = rounded(_e37, 13u);
    metal::uint4 y = _e39 << metal::uint4(3u);
    metal::uint4 _e46 = magnitude4_(x_7);
    return metal::select(y, x_7 | metal::uint4(33554432u), _e46 > metal::uint4(2080440319u));
}

metal::uint4 forward_halves(
    metal::uint4 x_8,
    Params params_16
) {
    metal::uint4 _e5 = forward_half(x_8 << metal::uint4(16u), params_16);
    metal::uint4 _e9 = forward_half(x_8, params_16);
    return (_e5 >> metal::uint4(16u)) | (_e9 & metal::uint4(4294901760u));
}

Random random_of_words(
    uint word,
    Params params_17
) {
    if (true) {
        return Random {};
    }
    if (true) {
        metal::uint4 _e13 = random4_(word, params_17.seed, params_17.offset);
        return Random {_e13, metal::uint4(0u)};
    }
    metal::uint4 _e21 = random4_(2u * word, params_17.seed, params_17.offset);
    metal::uint4 _e28 = random4_((2u * word) + 4u, params_17.seed, params_17.offset);
    return Random {metal::uint4(_e21.xz, _e28.xz), metal::uint4(_e21.yw, _e28.yw)};
}

metal::uint4 unary4_(
    metal::uint4 x_9,
    metal::uint4 random_2,
    Params params_18
) {
    if (false) {
        metal::uint4 _e8 = hard_swish4_(x_9, params_18);
        return _e8;
    }
    if (false) {
        metal::uint4 _e14 = binarize4_(x_9, random_2, params_18);
        return _e14;
    }
    metal::uint4 _e15 = forward4_(x_9, params_18);
    return _e15;
}

metal::uint4 signed_halves(
    metal::bool4 low_2,
    metal::bool4 high_2,
    Params params_19
) {
    metal::uint4 scale = metal::uint4(as_type<uint>(params_19.magnitude));
    metal::uint4 _e6 = packed_results(scale, scale, params_19);
    metal::uint4 minus_low = metal::select(metal::uint4(32768u), metal::uint4(0u), low_2);
    metal::uint4 minus_high = metal::select(metal::uint4(2147483648u), metal::uint4(0u), high_2);
    return (_e6 ^ minus_low) ^ minus_high;
}

metal::bool4 is_not_negative(
    metal::uint4 x_10
) {
    return (x_10 <= metal::uint4(2139160575u)) | ((x_10 & metal::uint4(4294901760u)) == metal::uint4(2147483648u));
}

metal::bool4 is_plus_low(
    metal::uint4 words_2,
    metal::uint4 random_3,
    Params params_20
) {
    if (true) {
        metal::bool4 _e9 = is_not_negative(words_2 << metal::uint4(16u));
        return _e9;
    }
    metal::uint4 _e10 = low(words_2);
    metal::bool4 _e11 = is_plus4_(_e10, random_3, params_20);
    return _e11;
}

metal::bool4 is_plus_high(
    metal::uint4 words_3,
    metal::uint4 random_4,
    Params params_21
) {
    if (true) {
        metal::bool4 _e6 = is_not_negative(words_3);
        return _e6;
    }
    metal::uint4 _e7 = high(words_3);
    metal::bool4 _e8 = is_plus4_(_e7, random_4, params_21);
    return _e8;
}

metal::uint4 unary_words(
    metal::uint4 x_11,
    uint word_1,
    Params params_22
) {
    if (false) {
        metal::uint4 _e8 = forward_halves(x_11, params_22);
        return _e8;
    }
    Random _e9 = random_of_words(word_1, params_22);
    if (true) {
        metal::uint4 _e16 = unary4_(x_11, _e9.low, params_22);
        return _e16;
    }
    if (false) {
        metal::bool4 _e23 = is_plus_low(x_11, _e9.low, params_22);
        metal::bool4 _e25 = is_plus_high(x_11, _e9.high, params_22);
        metal::uint4 _e26 = signed_halves(_e23, _e25, params_22);
        return _e26;
    }
    metal::uint4 _e27 = low(x_11);
    metal::uint4 _e29 = unary4_(_e27, _e9.low, params_22);
    metal::uint4 _e30 = high(x_11);
    metal::uint4 _e32 = unary4_(_e30, _e9.high, params_22);
    metal::uint4 _e33 = packed_results(_e29, _e32, params_22);
    return _e33;
}

uint naga_div(uint lhs, uint rhs) {
    return lhs / metal::select(rhs, 1u, rhs == 0u);
}

uint whole_words(
    Params params_23
) {
    return true ? params_23.len : naga_div(params_23.len, 2u);
}

uint vector_index(
    metal::uint3 id_1,
    Params params_24
) {
    return (id_1.y * params_24.row_invocations) + id_1.x;
}

bool in_body(
    uint i,
    Params params_25
) {
    uint _e2 = whole_words(params_25);
    return i < naga_div(_e2, 4u);
}

struct unaryInput {
};
kernel void unary(
  metal::uint3 id [[thread_position_in_grid]]
, device type_7 const& read0_vec [[user(fake0)]]
, device type_7& write1_vec [[user(fake0)]]
, constant Params& params2_ [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    Params _e2 = params2_;
    uint _e3 = vector_index(id, _e2);
    Params _e5 = params2_;
    bool _e6 = in_body(_e3, _e5);
    if (_e6) {
        metal::uint4 _e11 = read0_vec[_e3];
        Params _e15 = params2_;
        metal::uint4 _e16 = unary_words(_e11, 4u * _e3, _e15);
        write1_vec[_e3] = _e16;
        return;
    } else {
        return;
    }
}
