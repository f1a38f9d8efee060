// language: metal2.0
#include <metal_stdlib>
#include <simd/simd.h>

using metal::uint;

struct _mslBufferSizes {
    uint size0;
    uint size1;
    uint size2;
    uint size3;
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
constant float SIXTH = 0.16666667;

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

void store_y(
    uint i_2,
    metal::uint4 value,
    device type_2& y_vec,
    constant _mslBufferSizes& _buffer_sizes
) {
    y_vec[i_2] = value;
    return;
}

uint load_y_word(
    uint i_3,
    device type_3 const& y_word,
    constant _mslBufferSizes& _buffer_sizes
) {
    uint _e3 = y_word[i_3];
    return _e3;
}

void store_y_word(
    uint i_4,
    uint value_1,
    device type_3& y_word,
    constant _mslBufferSizes& _buffer_sizes
) {
    y_word[i_4] = value_1;
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
    uint i_5,
    constant Params& params
) {
    uint _e1 = whole_words(params);
    return i_5 < naga_div(_e1, 4u);
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

float sixth(
    float t
) {
    float q = as_type<float>(as_type<uint>(t * SIXTH) & 4294967288u);
    return q + ((t - (6.0 * q)) * SIXTH);
}

uint clamped(
    float v_1,
    float top
) {
    return as_type<uint>(metal::clamp(as_type<int>(v_1), 0, as_type<int>(top)));
}

float number(
    uint bits
) {
    return as_type<float>(bits);
}

float relu6_(
    uint x
) {
    float _e1 = number(x);
    uint _e5 = clamped(_e1 + 3.0, 6.0);
    return as_type<float>(_e5);
}

uint divided_value(
    uint x_1
) {
    float _e1 = relu6_(x_1);
    float _e2 = sixth(_e1);
    return as_type<uint>(_e2);
}

uint forward_bits(
    uint x_2
) {
    uint _e1 = divided_value(x_2);
    uint _e2 = unless_nan(_e1, x_2);
    return _e2;
}

uint y_of(
    uint x_3
) {
    uint _e1 = forward_bits(x_3);
    return _e1;
}

uint tail_index(
    uint lane_1,
    constant Params& params
) {
    uint _e1 = whole_words(params);
    return (_e1 & 4294967292u) + lane_1;
}

bool in_tail(
    uint i_6,
    constant Params& params
) {
    uint _e3 = params.len;
    return i_6 < _e3;
}

uint merged(
    uint result_1,
    uint before,
    uint i_7
) {
    return result_1;
}

struct bodyInput {
};
kernel void body(
  metal::uint3 id [[thread_position_in_grid]]
, device type_2 const& x_vec [[user(fake0)]]
, device type_2& y_vec [[user(fake0)]]
, constant Params& params [[user(fake0)]]
, constant _mslBufferSizes& _buffer_sizes [[user(fake0)]]
) {
    uint _e1 = vector_index(id, params);
    bool _e2 = in_body(_e1, params);
    if (_e2) {
        metal::uint4 _e3 = load_x(_e1, x_vec, _buffer_sizes);
        uint _e5 = y_of(_e3.x);
        uint _e7 = y_of(_e3.y);
        uint _e9 = y_of(_e3.z);
        uint _e11 = y_of(_e3.w);
        metal::uint4 new_y = metal::uint4(_e5, _e7, _e9, _e11);
        store_y(_e1, new_y, y_vec, _buffer_sizes);
        return;
    } else {
        return;
    }
}

