// language: metal2.0
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size2;
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
struct GateGradients {
    metal::uint4 da;
    metal::uint4 db;
};
typedef metal::uint4 type_7[1];
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
constant uint KERNEL = 1u;
constant uint DTYPE = 0u;
constant uint FORMULA = 0u;

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
    if (true) {
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

metal::bool4 lies_in(
    metal::uint4 window,
    metal::uint4 x_3
) {
    return ((x_3 - window.xxxx) < window.yyyy) | ((x_3 - window.zzzz) < window.wwww);
}

metal::uint4 backward4_(
    metal::uint4 x_4,
    metal::uint4 g,
    Params params_6
) {
    metal::float4 dx = {};
    if (false) {
        metal::uint4 _e10 = divided_by_6_(g);
        metal::uint4 _e11 = unless_nan(_e10, g, params_6);
        metal::bool4 _e13 = lies_in(params_6.passing, x_4);
        return metal::select(metal::uint4(0u), _e11, _e13);
    }
    metal::float4 _e16 = prescaled(g, params_6);
    dx = params_6.slope * _e16;
    if (false) {
        metal::float4 _e24 = dx;
        metal::float4 _e25 = opaque(_e24, params_6);
        metal::float4 _e28 = dx;
        metal::bool4 _e30 = lies_in(params_6.whole, x_4);
        dx = metal::select(0.5 * _e25, _e28, _e30);
    }
    metal::float4 _e34 = dx;
    metal::uint4 _e36 = unless_nan(as_type<metal::uint4>(_e34), g, params_6);
    metal::bool4 _e38 = lies_in(params_6.passing, x_4);
    return metal::select(metal::uint4(0u), _e36, _e38);
}

metal::float4 third(
    metal::float4 x_5,
    Params params_7
) {
    metal::float4 _e4 = opaque(x_5 * THIRD, params_7);
    metal::float4 _e8 = opaque(x_5 - (2.0 * _e4), params_7);
    metal::float4 _e10 = opaque(_e8 - _e4, params_7);
    metal::float4 _e13 = opaque(_e10 * THIRD, params_7);
    return _e4 + _e13;
}

metal::uint4 unless_either_nan(
    metal::uint4 result,
    metal::uint4 a,
    metal::uint4 b
) {
    metal::uint4 _e6 = magnitude4_(b);
    metal::uint4 first_2 = metal::select(result, b | metal::uint4(4194304u), _e6 > metal::uint4(2139095040u));
    metal::uint4 _e14 = magnitude4_(a);
    return metal::select(first_2, a | metal::uint4(4194304u), _e14 > metal::uint4(2139095040u));
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
    Params params_8
) {
    metal::float4 _e6 = opaque(as_type<metal::float4>(a_2) * as_type<metal::float4>(b_2), params_8);
    metal::uint4 _e8 = settled(_e6, a_2, b_2, 0u);
    return _e8;
}

metal::uint4 sum_of_numbers(
    metal::uint4 a_3,
    metal::uint4 b_3,
    Params params_9
) {
    metal::float4 _e4 = opaque(as_type<metal::float4>(a_3), params_9);
    metal::float4 _e6 = opaque(as_type<metal::float4>(b_3), params_9);
    metal::float4 sum = _e4 + _e6;
    metal::uint4 _e8 = magnitude4_(a_3);
    metal::bool4 opposite = (_e8 == metal::uint4(2139095040u)) & ((a_3 ^ b_3) == metal::uint4(2147483648u));
    return metal::select(as_type<metal::uint4>(sum), metal::uint4(4290772992u), opposite);
}

metal::uint4 sum4_(
    metal::uint4 a_4,
    metal::uint4 b_4,
    Params params_10
) {
    metal::uint4 _e3 = sum_of_numbers(a_4, b_4, params_10);
    metal::uint4 _e4 = unless_either_nan(_e3, a_4, b_4);
    return _e4;
}

bool is_composed(
) {
    bool local_2 = {};
    bool _e0 = is_rare();
    if (!(_e0)) {
        local_2 = false;
    } else {
        local_2 = true;
    }
    bool _e10 = local_2;
    return _e10;
}

metal::uint4 backward_accumulate4_(
    metal::uint4 x_6,
    metal::uint4 g_1,
    metal::uint4 dx_1,
    Params params_11
) {
    bool _e4 = is_composed();
    if (_e4) {
        metal::uint4 _e5 = backward4_(x_6, g_1, params_11);
        metal::uint4 _e6 = sum4_(dx_1, _e5, params_11);
        return _e6;
    }
    metal::uint4 zero = metal::uint4(0u);
    metal::bool4 _e10 = lies_in(params_11.passing, x_6);
    metal::uint4 added = metal::select(zero, as_type<metal::uint4>(params_11.slope * as_type<metal::float4>(g_1)), _e10);
    metal::uint4 _e16 = sum_of_numbers(dx_1, added, params_11);
    metal::uint4 _e18 = unless_either_nan(_e16, dx_1, metal::select(zero, g_1, _e10));
    return _e18;
}

metal::uint4 gate4_(
    metal::uint4 a_5,
    metal::uint4 b_5,
    Params params_12
) {
    bool _e3 = is_rare();
    if (_e3) {
        metal::uint4 _e4 = forward4_(b_5, params_12);
        metal::uint4 _e5 = product4_(a_5, _e4, params_12);
        return _e5;
    }
    metal::uint4 _e6 = value4_(b_5, params_12);
    metal::float4 _e9 = opaque(as_type<metal::float4>(_e6), params_12);
    metal::uint4 product_2 = as_type<metal::uint4>(as_type<metal::float4>(a_5) * _e9);
    metal::uint4 _e12 = magnitude4_(a_5);
    metal::bool4 invalid = (_e12 == metal::uint4(2139095040u)) & (_e6 == metal::uint4(0u));
    metal::uint4 _e23 = unless_either_nan(metal::select(product_2, metal::uint4(4290772992u), invalid), a_5, b_5);
    return _e23;
}

GateGradients gate_backward4_(
    metal::uint4 a_6,
    metal::uint4 b_6,
    metal::uint4 g_2,
    Params params_13
) {
    metal::uint4 _e4 = gate4_(g_2, b_6, params_13);
    bool _e5 = is_composed();
    if (_e5) {
        metal::uint4 _e6 = product4_(g_2, a_6, params_13);
        metal::uint4 _e7 = backward4_(b_6, _e6, params_13);
        return GateGradients {_e4, _e7};
    }
    metal::float4 _e13 = opaque(as_type<metal::float4>(g_2) * as_type<metal::float4>(a_6), params_13);
    metal::float4 product_3 = params_13.slope * _e13;
    metal::uint4 _e17 = settled(product_3, g_2, a_6, as_type<uint>(params_13.slope));
    metal::bool4 _e21 = lies_in(params_13.passing, b_6);
    return GateGradients {_e4, metal::select(metal::uint4(0u), _e17, _e21)};
}

metal::uint4 hard_swish_backward4_(
    metal::uint4 x_7,
    metal::uint4 g_3,
    Params params_14
) {
    if (false) {
        metal::float4 _e9 = third(as_type<metal::float4>(x_7), params_14);
        metal::float4 _e10 = opaque(_e9, params_14);
        metal::uint4 inside = as_type<metal::uint4>(_e10 + metal::float4(0.5));
        metal::bool4 is_above = as_type<metal::int4>(x_7) >= metal::int4(as_type<int>(3.0));
        metal::uint4 factor = metal::select(inside, metal::uint4(as_type<uint>(1.0)), is_above);
        metal::float4 _e26 = opaque(as_type<metal::float4>(factor), params_14);
        metal::float4 product_4 = as_type<metal::float4>(g_3) * _e26;
        metal::uint4 _e28 = magnitude4_(g_3);
        metal::bool4 invalid_1 = (_e28 == metal::uint4(2139095040u)) & (factor == metal::uint4(0u));
        metal::uint4 _e40 = unless_either_nan(metal::select(as_type<metal::uint4>(product_4), metal::uint4(4290772992u), invalid_1), x_7, g_3);
        metal::uint4 _e41 = magnitude4_(x_7);
        metal::bool4 is_nan = _e41 > metal::uint4(2139095040u);
        metal::bool4 _e48 = lies_in(params_14.passing, x_7);
        return metal::select(metal::uint4(0u), _e40, (_e48 | is_above) | is_nan);
    }
    bool _e52 = is_composed();
    if (_e52) {
        GateGradients _e53 = gate_backward4_(x_7, x_7, g_3, params_14);
        metal::uint4 _e56 = sum4_(_e53.da, _e53.db, params_14);
        return _e56;
    }
    metal::uint4 _e57 = value4_(x_7, params_14);
    metal::bool4 _e59 = lies_in(params_14.passing, x_7);
    metal::float4 _e62 = opaque(as_type<metal::float4>(_e57), params_14);
    metal::float4 _e64 = opaque(as_type<metal::float4>(g_3) * _e62, params_14);
    metal::float4 _e68 = opaque(as_type<metal::float4>(g_3) * as_type<metal::float4>(x_7), params_14);
    metal::float4 _e71 = opaque(params_14.slope * _e68, params_14);
    metal::uint4 sum_1 = as_type<metal::uint4>(_e64 + as_type<metal::float4>(metal::select(metal::uint4(0u), as_type<metal::uint4>(_e71), _e59)));
    metal::bool4 db_has_sign_of_g = as_type<metal::int4>(x_7 ^ metal::uint4(as_type<uint>(params_14.slope) & 2147483648u)) > metal::int4(0);
    metal::uint4 infinite_1 = metal::select(metal::uint4(4290772992u), g_3, (_e57 != metal::uint4(0u)) & (db_has_sign_of_g | !(_e59)));
    metal::uint4 _e98 = magnitude4_(g_3);
    metal::uint4 _e103 = unless_either_nan(metal::select(sum_1, infinite_1, _e98 == metal::uint4(2139095040u)), g_3, x_7);
    return _e103;
}

metal::uint4 widened_finite(
    metal::uint4 h
) {
    metal::uint4 normal = (h << metal::uint4(13u)) + metal::uint4(939524096u);
    metal::uint4 subnormal = as_type<metal::uint4>(as_type<metal::float4>(h + metal::uint4(1056964608u)) - metal::float4(0.5));
    return metal::select(normal, subnormal, h < metal::uint4(1024u));
}

metal::uint4 widened(
    metal::uint4 x_8
) {
    if (false) {
        return x_8 & metal::uint4(4294901760u);
    }
    metal::uint4 magnitude = metal::extract_bits(x_8, metal::min(16u, 32u), metal::min(15u, 32u - metal::min(16u, 32u)));
    metal::uint4 _e12 = widened_finite(magnitude);
    metal::uint4 special = (magnitude << metal::uint4(13u)) + metal::uint4(1879048192u);
    return (x_8 & metal::uint4(2147483648u)) | metal::select(_e12, special, magnitude >= metal::uint4(31744u));
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
    Params params_15
) {
    metal::float4 _e3 = opaque(as_type<metal::float4>(bits_2), params_15);
    metal::uint4 sum_2 = as_type<metal::uint4>(_e3 + metal::float4(0.5));
    metal::uint4 _e8 = narrowed_normal(bits_2);
    return metal::select(_e8, sum_2 - metal::uint4(1056964608u), bits_2 < metal::uint4(947912704u));
}

metal::uint4 narrowed_magnitude(
    metal::uint4 bits_3,
    Params params_16
) {
    metal::uint4 _e2 = magnitude4_(bits_3);
    metal::uint4 _e3 = narrowed_normal(_e2);
    metal::uint4 _e4 = narrowed_finite(_e2, params_16);
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
    Params params_17
) {
    if (false) {
        metal::uint4 _e9 = rounded(low_1, 16u);
        metal::uint4 _e14 = rounded(high_1, 16u);
        return (_e9 >> metal::uint4(16u)) | (_e14 & metal::uint4(4294901760u));
    }
    metal::uint4 _e19 = narrowed_magnitude(low_1, params_17);
    metal::uint4 _e20 = narrowed_magnitude(high_1, params_17);
    metal::uint4 magnitudes = _e19 | (_e20 << metal::uint4(16u));
    return (magnitudes | ((low_1 >> metal::uint4(16u)) & metal::uint4(32768u))) | (high_1 & metal::uint4(2147483648u));
}

metal::uint4 backward_f16_(
    metal::uint4 x_9,
    metal::uint4 g_4,
    Params params_18
) {
    metal::uint4 magnitude_1 = g_4 & metal::uint4(32767u);
    metal::uint4 _e7 = widened_finite(magnitude_1);
    metal::float4 product_5 = params_18.slope * as_type<metal::float4>(_e7);
    metal::uint4 _e11 = narrowed_finite(as_type<metal::uint4>(product_5), params_18);
    metal::uint4 dx_2 = metal::select(_e11, magnitude_1, magnitude_1 >= metal::uint4(31744u)) | (g_4 & metal::uint4(32768u));
    metal::bool4 _e23 = lies_in(params_18.passing, x_9);
    return metal::select(metal::uint4(0u), dx_2, _e23);
}

metal::uint4 backward_f16_words(
    metal::uint4 x_10,
    metal::uint4 g_5,
    Params params_19
) {
    metal::uint4 _e6 = backward_f16_(x_10 << metal::uint4(16u), g_5, params_19);
    metal::uint4 _e10 = backward_f16_(x_10, g_5 >> metal::uint4(16u), params_19);
    metal::uint4 dx_3 = _e6 | (_e10 << metal::uint4(16u));
    metal::uint4 sums = (dx_3 & metal::uint4(2147450879u)) + metal::uint4(67044351u);
    return dx_3 | ((sums >> metal::uint4(6u)) & metal::uint4(33554944u));
}

metal::uint4 binary4_(
    metal::uint4 first,
    metal::uint4 second,
    metal::uint4 before_1,
    Params params_20
) {
    if (false) {
        metal::uint4 _e9 = gate4_(first, second, params_20);
        return _e9;
    }
    if (false) {
        metal::uint4 _e15 = hard_swish_backward4_(first, second, params_20);
        return _e15;
    }
    if (false) {
        metal::uint4 _e21 = backward_accumulate4_(first, second, before_1, params_20);
        return _e21;
    }
    metal::uint4 _e22 = backward4_(first, second, params_20);
    return _e22;
}

metal::uint4 binary_words(
    metal::uint4 first_1,
    metal::uint4 second_1,
    metal::uint4 before_2,
    Params params_21
) {
    bool local_3 = {};
    metal::uint4 first_low = {};
    metal::uint4 first_high = {};
    bool local_4 = {};
    if (true) {
        metal::uint4 _e9 = binary4_(first_1, second_1, before_2, params_21);
        return _e9;
    }
    if (false) {
        local_3 = false;
    } else {
        local_3 = false;
    }
    bool _e23 = local_3;
    if (_e23) {
        metal::uint4 _e24 = backward_f16_words(first_1, second_1, params_21);
        return _e24;
    }
    first_low = first_1 << metal::uint4(16u);
    first_high = first_1;
    if (false) {
        local_4 = true;
    } else {
        local_4 = false;
    }
    bool _e43 = local_4;
    if (_e43) {
        metal::uint4 _e44 = low(first_1);
        first_low = _e44;
        metal::uint4 _e45 = high(first_1);
        first_high = _e45;
    }
    metal::uint4 _e46 = first_low;
    metal::uint4 _e47 = low(second_1);
    metal::uint4 _e48 = low(before_2);
    metal::uint4 _e49 = binary4_(_e46, _e47, _e48, params_21);
    metal::uint4 _e50 = first_high;
    metal::uint4 _e51 = high(second_1);
    metal::uint4 _e52 = high(before_2);
    metal::uint4 _e53 = binary4_(_e50, _e51, _e52, params_21);
    metal::uint4 _e54 = packed_results(_e49, _e53, params_21);
    return _e54;
}

uint naga_div(uint lhs, uint rhs) {
    return lhs / metal::select(rhs, 1u, rhs == 0u);
}

uint whole_words(
    Params params_22
) {
    return true ? params_22.len : naga_div(params_22.len, 2u);
}

uint vector_index(
    metal::uint3 id_1,
    Params params_23
) {
    return (id_1.y * params_23.row_invocations) + id_1.x;
}

bool in_body(
    uint i,
    Params params_24
) {
    uint _e2 = whole_words(params_24);
    return i < naga_div(_e2, 4u);
}

struct binaryInput {
};
kernel void binary(
  metal::uint3 id [[thread_position_in_grid]]
, device type_7 const& read0_vec [[user(fake0)]]
, device type_7 const& read1_vec [[user(fake0)]]
, device type_7& write2_vec [[user(fake0)]]
, constant Params& params3_ [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    metal::uint4 before = metal::uint4(0u);
    Params _e2 = params3_;
    uint _e3 = vector_index(id, _e2);
    Params _e5 = params3_;
    bool _e6 = in_body(_e3, _e5);
    if (_e6) {
        if (false) {
            metal::uint4 _e17 = write2_vec[_e3];
            before = _e17;
        }
        metal::uint4 _e22 = read0_vec[_e3];
        metal::uint4 _e25 = read1_vec[_e3];
        metal::uint4 _e26 = before;
        Params _e28 = params3_;
        metal::uint4 _e29 = binary_words(_e22, _e25, _e26, _e28);
        write2_vec[_e3] = _e29;
        return;
    } else {
        return;
    }
}
