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
    float pre_slope;
    float prescale;
    float pre_shift;
    float clamp_max;
    float post_scale;
    float grad_slope;
    uint nan_threshold;
    int first_key;
    int last_key;
    uint opaque_zero;
    uint len;
    uint row_invocations;
    metal::uint2 seed;
    metal::uint2 offset;
    float magnitude;
    uint pad0_;
    uint pad1_;
    uint pad2_;
};
struct GateGradients {
    metal::uint4 da;
    metal::uint4 db;
};
typedef metal::uint4 type_7[1];
constant uint F32_ = 0u;
constant uint F16_ = 1u;
constant uint BF16_ = 2u;
constant float SIXTH = 0.16666667;
constant uint INFINITE = 2139095040u;
constant uint QUIET = 4194304u;
constant uint INVALID_NAN = 4290772992u;
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
constant uint KERNEL = 1u;
constant uint DTYPE = 0u;
constant bool DIVIDE = true;

metal::float4 opaque(
    metal::float4 v,
    Params params
) {
    return as_type<metal::float4>(as_type<metal::uint4>(v) ^ metal::uint4(params.opaque_zero));
}

metal::float4 sixth(
    metal::float4 t,
    Params params_1
) {
    metal::float4 _e4 = opaque(t * SIXTH, params_1);
    metal::float4 _e8 = opaque(t - (4.0 * _e4), params_1);
    metal::float4 r = _e8 - (2.0 * _e4);
    metal::uint4 bits_1 = as_type<metal::uint4>(_e4);
    metal::float4 limit = 3.0 * as_type<metal::float4>((bits_1 & metal::uint4(2139095040u)) - metal::uint4(192937984u));
    metal::uint4 up = metal::select(metal::uint4(0u), metal::uint4(1u), r > limit);
    metal::uint4 down = metal::select(metal::uint4(0u), metal::uint4(1u), r < -(limit));
    metal::uint4 y_1 = metal::select((bits_1 + up) - down, metal::uint4(0u), as_type<metal::uint4>(t) == metal::uint4(0u));
    return as_type<metal::float4>(y_1);
}

metal::uint4 unless_nan(
    metal::uint4 product,
    metal::uint4 operand,
    Params params_2
) {
    metal::uint4 magnitude = operand & metal::uint4(2147483647u);
    metal::bool4 infinite = magnitude == metal::uint4(2139095040u);
    metal::uint4 nan = metal::select(operand | metal::uint4(4194304u), metal::uint4(4290772992u), infinite);
    return metal::select(product, nan, magnitude >= metal::uint4(params_2.nan_threshold));
}

metal::uint4 forward4_(
    metal::uint4 x,
    Params params_3
) {
    metal::float4 y = {};
    metal::float4 _e5 = opaque(as_type<metal::float4>(x) * params_3.prescale, params_3);
    metal::float4 _e8 = opaque(params_3.pre_slope * _e5, params_3);
    metal::float4 v_1 = _e8 + metal::float4(params_3.pre_shift);
    metal::int4 clamped = metal::clamp(as_type<metal::int4>(v_1), metal::int4(0), metal::int4(as_type<int>(params_3.clamp_max)));
    metal::float4 t_1 = as_type<metal::float4>(clamped);
    if (DIVIDE) {
        metal::float4 _e22 = sixth(t_1, params_3);
        y = _e22;
    } else {
        y = t_1 * params_3.post_scale;
    }
    metal::float4 _e25 = y;
    metal::uint4 _e27 = unless_nan(as_type<metal::uint4>(_e25), x, params_3);
    return _e27;
}

metal::uint4 backward4_(
    metal::uint4 x_1,
    metal::uint4 g,
    Params params_4
) {
    metal::int4 bits_2 = as_type<metal::int4>(x_1);
    metal::int4 key = bits_2 ^ ((bits_2 >> metal::uint4(31u)) & metal::int4(2147483647));
    metal::bool4 inside = (key >= metal::int4(params_4.first_key)) & (key <= metal::int4(params_4.last_key));
    metal::float4 _e21 = opaque(as_type<metal::float4>(g) * params_4.prescale, params_4);
    metal::uint4 dx_1 = as_type<metal::uint4>(params_4.grad_slope * _e21);
    metal::uint4 _e27 = unless_nan(dx_1, g, params_4);
    return metal::select(metal::uint4(0u), _e27, inside);
}

metal::uint4 unless_either_nan(
    metal::uint4 result,
    metal::uint4 a,
    metal::uint4 b
) {
    metal::uint4 first_2 = metal::select(result, b | metal::uint4(4194304u), (b & metal::uint4(2147483647u)) > metal::uint4(2139095040u));
    return metal::select(first_2, a | metal::uint4(4194304u), (a & metal::uint4(2147483647u)) > metal::uint4(2139095040u));
}

metal::uint4 product4_(
    metal::uint4 a_1,
    metal::uint4 b_1,
    Params params_5
) {
    metal::uint4 larger = metal::max(a_1 & metal::uint4(2147483647u), b_1 & metal::uint4(2147483647u));
    metal::uint4 smaller = metal::min(a_1 & metal::uint4(2147483647u), b_1 & metal::uint4(2147483647u));
    metal::float4 _e18 = opaque(as_type<metal::float4>(a_1), params_5);
    metal::float4 _e20 = opaque(as_type<metal::float4>(b_1), params_5);
    metal::uint4 finite = as_type<metal::uint4>(_e18 * _e20);
    metal::uint4 signed_infinite = ((a_1 ^ b_1) & metal::uint4(2147483648u)) | metal::uint4(2139095040u);
    metal::uint4 infinite_1 = metal::select(signed_infinite, metal::uint4(4290772992u), smaller == metal::uint4(0u));
    metal::uint4 _e40 = unless_either_nan(metal::select(finite, infinite_1, larger == metal::uint4(2139095040u)), a_1, b_1);
    return _e40;
}

metal::uint4 sum4_(
    metal::uint4 a_2,
    metal::uint4 b_2,
    Params params_6
) {
    metal::float4 _e4 = opaque(as_type<metal::float4>(a_2), params_6);
    metal::float4 _e6 = opaque(as_type<metal::float4>(b_2), params_6);
    metal::float4 sum = _e4 + _e6;
    metal::bool4 opposite = ((a_2 & metal::uint4(2147483647u)) == metal::uint4(2139095040u)) & ((a_2 ^ b_2) == metal::uint4(2147483648u));
    metal::uint4 _e23 = unless_either_nan(metal::select(as_type<metal::uint4>(sum), metal::uint4(4290772992u), opposite), a_2, b_2);
    return _e23;
}

metal::uint4 backward_accumulate4_(
    metal::uint4 x_2,
    metal::uint4 g_1,
    metal::uint4 dx,
    Params params_7
) {
    metal::uint4 _e4 = backward4_(x_2, g_1, params_7);
    metal::uint4 _e5 = sum4_(dx, _e4, params_7);
    return _e5;
}

metal::uint4 gate4_(
    metal::uint4 a_3,
    metal::uint4 b_3,
    Params params_8
) {
    metal::uint4 _e3 = forward4_(b_3, params_8);
    metal::uint4 _e4 = product4_(a_3, _e3, params_8);
    return _e4;
}

GateGradients gate_backward4_(
    metal::uint4 a_4,
    metal::uint4 b_4,
    metal::uint4 g_2,
    Params params_9
) {
    metal::uint4 _e4 = gate4_(g_2, b_4, params_9);
    metal::uint4 _e5 = product4_(g_2, a_4, params_9);
    metal::uint4 _e6 = backward4_(b_4, _e5, params_9);
    return GateGradients {_e4, _e6};
}

metal::uint4 hard_swish_backward4_(
    metal::uint4 x_3,
    metal::uint4 g_3,
    Params params_10
) {
    GateGradients _e3 = gate_backward4_(x_3, x_3, g_3, params_10);
    metal::uint4 _e6 = sum4_(_e3.da, _e3.db, params_10);
    return _e6;
}

metal::uint4 widened(
    metal::uint4 h
) {
    if (false) {
        return h << metal::uint4(16u);
    }
    metal::uint4 sign = (h & metal::uint4(32768u)) << metal::uint4(16u);
    metal::uint4 magnitude_1 = h & metal::uint4(32767u);
    metal::uint4 normal = (magnitude_1 << metal::uint4(13u)) + metal::uint4(939524096u);
    metal::uint4 special = normal + metal::uint4(939524096u);
    metal::uint4 subnormal = as_type<metal::uint4>(static_cast<metal::float4>(magnitude_1) * 0.000000059604645);
    metal::uint4 finite_1 = metal::select(normal, subnormal, magnitude_1 < metal::uint4(1024u));
    return sign | metal::select(finite_1, special, magnitude_1 >= metal::uint4(31744u));
}

metal::uint4 narrowed(
    metal::uint4 bits,
    Params params_11
) {
    metal::uint4 rounded = {};
    metal::uint4 magnitude_2 = bits & metal::uint4(2147483647u);
    metal::bool4 is_nan = magnitude_2 > metal::uint4(2139095040u);
    metal::uint4 sign_1 = (bits >> metal::uint4(16u)) & metal::uint4(32768u);
    if (false) {
        metal::uint4 odd = (magnitude_2 >> metal::uint4(16u)) & metal::uint4(1u);
        metal::uint4 rounded_1 = ((magnitude_2 + metal::uint4(32767u)) + odd) >> metal::uint4(16u);
        return sign_1 | metal::select(rounded_1, (magnitude_2 >> metal::uint4(16u)) | metal::uint4(64u), is_nan);
    }
    metal::uint4 odd_1 = (magnitude_2 >> metal::uint4(13u)) & metal::uint4(1u);
    metal::uint4 normal_1 = (((magnitude_2 - metal::uint4(939524096u)) + metal::uint4(4095u)) + odd_1) >> metal::uint4(13u);
    metal::float4 _e57 = opaque(as_type<metal::float4>(magnitude_2), params_11);
    metal::uint4 sum_1 = as_type<metal::uint4>(_e57 + metal::float4(0.5));
    metal::uint4 subnormal_1 = sum_1 - metal::uint4(1056964608u);
    rounded = metal::select(normal_1, subnormal_1, magnitude_2 < metal::uint4(947912704u));
    metal::uint4 _e70 = rounded;
    rounded = metal::select(_e70, metal::uint4(31744u), magnitude_2 >= metal::uint4(1199566848u));
    metal::uint4 _e77 = rounded;
    rounded = metal::select(_e77, ((magnitude_2 >> metal::uint4(13u)) & metal::uint4(1023u)) | metal::uint4(32256u), is_nan);
    metal::uint4 _e88 = rounded;
    return sign_1 | _e88;
}

metal::uint4 low(
    metal::uint4 words
) {
    metal::uint4 _e4 = widened(words & metal::uint4(65535u));
    return _e4;
}

metal::uint4 high(
    metal::uint4 words_1
) {
    metal::uint4 _e4 = widened(words_1 >> metal::uint4(16u));
    return _e4;
}

metal::uint4 packed(
    metal::uint4 low_1,
    metal::uint4 high_1,
    Params params_12
) {
    metal::uint4 _e3 = narrowed(low_1, params_12);
    metal::uint4 _e4 = narrowed(high_1, params_12);
    return _e3 | (_e4 << metal::uint4(16u));
}

metal::uint4 binary4_(
    metal::uint4 first,
    metal::uint4 second,
    metal::uint4 before_1,
    Params params_13
) {
    if (false) {
        metal::uint4 _e9 = gate4_(first, second, params_13);
        return _e9;
    }
    if (false) {
        metal::uint4 _e15 = hard_swish_backward4_(first, second, params_13);
        return _e15;
    }
    if (false) {
        metal::uint4 _e21 = backward_accumulate4_(first, second, before_1, params_13);
        return _e21;
    }
    metal::uint4 _e22 = backward4_(first, second, params_13);
    return _e22;
}

metal::uint4 binary_words(
    metal::uint4 first_1,
    metal::uint4 second_1,
    metal::uint4 before_2,
    Params params_14
) {
    if (true) {
        metal::uint4 _e9 = binary4_(first_1, second_1, before_2, params_14);
        return _e9;
    }
    metal::uint4 _e10 = low(first_1);
    metal::uint4 _e11 = low(second_1);
    metal::uint4 _e12 = low(before_2);
    metal::uint4 _e13 = binary4_(_e10, _e11, _e12, params_14);
    metal::uint4 _e14 = high(first_1);
    metal::uint4 _e15 = high(second_1);
    metal::uint4 _e16 = high(before_2);
    metal::uint4 _e17 = binary4_(_e14, _e15, _e16, params_14);
    metal::uint4 _e18 = packed(_e13, _e17, params_14);
    return _e18;
}

uint naga_div(uint lhs, uint rhs) {
    return lhs / metal::select(rhs, 1u, rhs == 0u);
}

uint whole_words(
    Params params_15
) {
    return true ? params_15.len : naga_div(params_15.len, 2u);
}

uint vector_index(
    metal::uint3 id_1,
    Params params_16
) {
    return (id_1.y * params_16.row_invocations) + id_1.x;
}

bool in_body(
    uint i,
    Params params_17
) {
    uint _e2 = whole_words(params_17);
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
