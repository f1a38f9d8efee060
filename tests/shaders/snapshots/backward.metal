// language: metal2.0
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size2;
    uint size3;
    uint size4;
    uint size5;
};

typedef metal::uint4 type_2[1];
typedef uint type_3[1];
struct Params {
    uint len;
    uint row_invocations;
    float scale;
    uint zero;
    metal::uint2 seed;
    metal::uint2 offset;
    uint middle;
    uint inner;
    uint first;
    uint b_first;
};
constant uint WORKGROUP = 256u;
constant uint QUIET = 4194304u;
constant uint INFINITE = 2139095040u;
constant float SLOPE = 0.16666667;

metal::uint4 load_x(
    uint i,
    device type_2 const& x_vec,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 _e3 = x_vec[i];
    return _e3;
}

uint load_x_word(
    uint i_1,
    device type_3 const& x_word,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e3 = x_word[i_1];
    return _e3;
}

metal::uint4 load_g(
    uint i_2,
    device type_2 const& g_vec,
    constant _mslBufferSizes& _buffer_sizes
) {
    metal::uint4 _e3 = g_vec[i_2];
    return _e3;
}

uint load_g_word(
    uint i_3,
    device type_3 const& g_word,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e3 = g_word[i_3];
    return _e3;
}

void store_dx(
    uint i_4,
    metal::uint4 value,
    device type_2& dx_vec,
    constant _mslBufferSizes& _buffer_sizes
) {
    dx_vec[i_4] = value;
    return;
}

uint load_dx_word(
    uint i_5,
    device type_3 const& dx_word,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e3 = dx_word[i_5];
    return _e3;
}

void store_dx_word(
    uint i_6,
    uint value_1,
    device type_3& dx_word,
    constant _mslBufferSizes& _buffer_sizes
) {
    dx_word[i_6] = value_1;
    return;
}

uint vector_index(
    metal::uint3 id_1,
    constant Params& params
) {
    uint _e4 = params.row_invocations;
    return (id_1.y * _e4) + id_1.x;
}

uint whole_words(
    constant Params& params
) {
    uint _e2 = params.len;
    return _e2;
}

uint naga_div(uint lhs, uint rhs) {
    return lhs / metal::select(rhs, 1u, rhs == 0u);
}

bool in_body(
    uint i_7,
    constant Params& params
) {
    uint _e1 = whole_words(params);
    return i_7 < naga_div(_e1, 4u);
}

uint magnitude_of(
    uint v
) {
    return v & 2147483647u;
}

uint unless_nan(
    uint result,
    uint operand
) {
    uint _e4 = magnitude_of(operand);
    return (_e4 > INFINITE) ? (operand | QUIET) : result;
}

float number(
    uint bits
) {
    return as_type<float>(bits);
}

uint product_scaled(
    uint g
) {
    float _e2 = number(g);
    uint _e5 = unless_nan(as_type<uint>(SLOPE * _e2), g);
    return _e5;
}

uint plain_gradient(
    uint x,
    uint g_1
) {
    uint _e2 = product_scaled(g_1);
    return _e2;
}

bool passes(
    uint x_1
) {
    return (x_1 & 2147483647u) < 1077936128u;
}

uint backward_bits(
    uint x_2,
    uint g_2
) {
    uint _e3 = plain_gradient(x_2, g_2);
    bool _e4 = passes(x_2);
    return _e4 ? _e3 : 0u;
}

uint dx_of(
    uint x_3,
    uint g_3
) {
    uint _e2 = backward_bits(x_3, g_3);
    return _e2;
}

uint tail_index(
    uint lane_1,
    constant Params& params
) {
    uint _e1 = whole_words(params);
    return (_e1 & 4294967292u) + lane_1;
}

bool in_tail(
    uint i_8,
    constant Params& params
) {
    uint _e3 = params.len;
    return i_8 < _e3;
}

uint merged(
    uint result_1,
    uint before,
    uint i_9
) {
    return result_1;
}

struct bodyInput {
};
kernel void body(
  metal::uint3 id [[thread_position_in_grid]]
, device type_2 const& x_vec [[user(fake0)]]
, device type_2 const& g_vec [[user(fake0)]]
, device type_2& dx_vec [[user(fake0)]]
, constant Params& params [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint _e1 = vector_index(id, params);
    bool _e2 = in_body(_e1, params);
    if (_e2) {
        metal::uint4 _e3 = load_x(_e1, x_vec, _buffer_sizes);
        metal::uint4 _e4 = load_g(_e1, g_vec, _buffer_sizes);
        uint _e7 = dx_of(_e3.x, _e4.x);
        uint _e10 = dx_of(_e3.y, _e4.y);
        uint _e13 = dx_of(_e3.z, _e4.z);
        uint _e16 = dx_of(_e3.w, _e4.w);
        metal::uint4 new_dx = metal::uint4(_e7, _e10, _e13, _e16);
        store_dx(_e1, new_dx, dx_vec, _buffer_sizes);
        return;
    } else {
        return;
    }
}

