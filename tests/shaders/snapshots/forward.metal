// language: metal2.0
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
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
typedef metal::uint4 type_8[1];
struct Random {
    metal::uint4 low;
    metal::uint4 high;
};
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
constant uint KERNEL = 0u;
constant uint DTYPE = 0u;
constant bool DIVIDE = true;
constant bool STOCHASTIC = false;

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

metal::uint4 unless_either_nan(
    metal::uint4 result,
    metal::uint4 a,
    metal::uint4 b
) {
    metal::uint4 first = metal::select(result, b | metal::uint4(4194304u), (b & metal::uint4(2147483647u)) > metal::uint4(2139095040u));
    return metal::select(first, a | metal::uint4(4194304u), (a & metal::uint4(2147483647u)) > metal::uint4(2139095040u));
}

metal::uint4 product4_(
    metal::uint4 a_1,
    metal::uint4 b_1,
    Params params_4
) {
    metal::uint4 larger = metal::max(a_1 & metal::uint4(2147483647u), b_1 & metal::uint4(2147483647u));
    metal::uint4 smaller = metal::min(a_1 & metal::uint4(2147483647u), b_1 & metal::uint4(2147483647u));
    metal::float4 _e18 = opaque(as_type<metal::float4>(a_1), params_4);
    metal::float4 _e20 = opaque(as_type<metal::float4>(b_1), params_4);
    metal::uint4 finite = as_type<metal::uint4>(_e18 * _e20);
    metal::uint4 signed_infinite = ((a_1 ^ b_1) & metal::uint4(2147483648u)) | metal::uint4(2139095040u);
    metal::uint4 infinite_1 = metal::select(signed_infinite, metal::uint4(4290772992u), smaller == metal::uint4(0u));
    metal::uint4 _e40 = unless_either_nan(metal::select(finite, infinite_1, larger == metal::uint4(2139095040u)), a_1, b_1);
    return _e40;
}

metal::uint4 gate4_(
    metal::uint4 a_2,
    metal::uint4 b_2,
    Params params_5
) {
    metal::uint4 _e3 = forward4_(b_2, params_5);
    metal::uint4 _e4 = product4_(a_2, _e3, params_5);
    return _e4;
}

metal::uint4 hard_swish4_(
    metal::uint4 x_1,
    Params params_6
) {
    metal::uint4 _e2 = gate4_(x_1, x_1, params_6);
    return _e2;
}

metal::uint2 product_high(
    metal::uint2 a_3,
    metal::uint2 b_3
) {
    metal::uint2 low_2 = metal::uint2(65535u);
    metal::uint2 bits_2 = metal::uint2(16u);
    metal::uint2 middle = ((a_3 >> bits_2) * (b_3 & low_2)) + (((a_3 & low_2) * (b_3 & low_2)) >> bits_2);
    metal::uint2 other = ((a_3 & low_2) * (b_3 >> bits_2)) + (middle & low_2);
    return (((a_3 >> bits_2) * (b_3 >> bits_2)) + (middle >> bits_2)) + (other >> bits_2);
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
            metal::uint2 low_3 = factors * _e18.xz;
            uint _e23 = counter.y;
            uint _e26 = key.x;
            uint _e31 = counter.w;
            uint _e34 = key.y;
            counter = metal::uint4((_e17.y ^ _e23) ^ _e26, low_3.y, (_e17.x ^ _e31) ^ _e34, low_3.x);
            metal::uint2 _e38 = key;
            key = _e38 + metal::uint2(2654435769u, 3144134277u);
        }
    }
    metal::uint4 _e46 = counter;
    return _e46;
}

metal::uint4 random4_(
    uint element,
    Params params_7
) {
    uint low_4 = params_7.offset.x + element;
    uint high_2 = params_7.offset.y + ((low_4 < element) ? 1u : 0u);
    metal::uint2 block_1 = metal::uint2((low_4 >> 2u) | (high_2 << 30u), high_2 >> 2u);
    metal::uint4 _e21 = philox(block_1, params_7.seed);
    uint skipped = low_4 & 3u;
    if (skipped == 0u) {
        return _e21;
    }
    uint next_high = (block_1.y + ((block_1.x == 4294967295u) ? 1u : 0u)) & 1073741823u;
    metal::uint4 _e41 = philox(metal::uint2(block_1.x + 1u, next_high), params_7.seed);
    if (skipped == 1u) {
        return metal::uint4(_e21.yzw, _e41.x);
    }
    if (skipped == 2u) {
        return metal::uint4(_e21.zw, _e41.xy);
    }
    return metal::uint4(_e21.w, _e41.xyz);
}

metal::uint4 naga_f2u32(metal::float4 value) {
    return static_cast<metal::uint4>(metal::clamp(value, 0.0, 4294967000.0));
}

metal::bool4 is_plus4_(
    metal::uint4 x_2,
    metal::uint4 random,
    Params params_8
) {
    if (true) {
        return (x_2 <= metal::uint4(2139095040u)) | (x_2 == metal::uint4(2147483648u));
    }
    metal::uint4 _e13 = forward4_(x_2, params_8);
    metal::uint4 below = naga_f2u32(metal::ceil(as_type<metal::float4>(_e13) * 4294967300.0));
    metal::bool4 drawn = random < metal::max(below, metal::min(_e13, metal::uint4(1u)));
    metal::uint4 one = metal::uint4(1065353216u);
    return (_e13 == one) | ((_e13 < one) & drawn);
}

metal::uint4 signed4_(
    metal::bool4 is_plus,
    Params params_9
) {
    uint plus = as_type<uint>(params_9.magnitude);
    return metal::select(metal::uint4(plus ^ 2147483648u), metal::uint4(plus), is_plus);
}

metal::uint4 binarize4_(
    metal::uint4 x_3,
    metal::uint4 random_1,
    Params params_10
) {
    metal::bool4 _e3 = is_plus4_(x_3, random_1, params_10);
    metal::uint4 _e4 = signed4_(_e3, params_10);
    return _e4;
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
    metal::uint4 sum = as_type<metal::uint4>(_e57 + metal::float4(0.5));
    metal::uint4 subnormal_1 = sum - metal::uint4(1056964608u);
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

Random random_of_words(
    uint word,
    Params params_13
) {
    if (true) {
        return Random {};
    }
    if (true) {
        metal::uint4 _e11 = random4_(word, params_13);
        return Random {_e11, metal::uint4(0u)};
    }
    metal::uint4 _e17 = random4_(2u * word, params_13);
    metal::uint4 _e22 = random4_((2u * word) + 4u, params_13);
    return Random {metal::uint4(_e17.xz, _e22.xz), metal::uint4(_e17.yw, _e22.yw)};
}

metal::uint4 unary4_(
    metal::uint4 x_4,
    metal::uint4 random_2,
    Params params_14
) {
    if (false) {
        metal::uint4 _e8 = hard_swish4_(x_4, params_14);
        return _e8;
    }
    if (false) {
        metal::uint4 _e14 = binarize4_(x_4, random_2, params_14);
        return _e14;
    }
    metal::uint4 _e15 = forward4_(x_4, params_14);
    return _e15;
}

metal::uint4 unary_words(
    metal::uint4 x_5,
    uint word_1,
    Params params_15
) {
    Random _e3 = random_of_words(word_1, params_15);
    if (true) {
        metal::uint4 _e10 = unary4_(x_5, _e3.low, params_15);
        return _e10;
    }
    metal::uint4 _e11 = low(x_5);
    metal::uint4 _e13 = unary4_(_e11, _e3.low, params_15);
    metal::uint4 _e14 = high(x_5);
    metal::uint4 _e16 = unary4_(_e14, _e3.high, params_15);
    metal::uint4 _e17 = packed(_e13, _e16, params_15);
    return _e17;
}

uint naga_div(uint lhs, uint rhs) {
    return lhs / metal::select(rhs, 1u, rhs == 0u);
}

uint whole_words(
    Params params_16
) {
    return true ? params_16.len : naga_div(params_16.len, 2u);
}

uint vector_index(
    metal::uint3 id_1,
    Params params_17
) {
    return (id_1.y * params_17.row_invocations) + id_1.x;
}

bool in_body(
    uint i,
    Params params_18
) {
    uint _e2 = whole_words(params_18);
    return i < naga_div(_e2, 4u);
}

struct unaryInput {
};
kernel void unary(
  metal::uint3 id [[thread_position_in_grid]]
, device type_8 const& read0_vec [[user(fake0)]]
, device type_8& write1_vec [[user(fake0)]]
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
