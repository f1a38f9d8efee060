// The broadcast gate, whose b has one number for many numbers of a. A row of a has params.middle steps of params.inner
// elements. A row of b has params.inner numbers, which every step of the row of a uses.
//
// The kernel works on words as elementwise.wgsl says. The part of a begins params.first elements into a row. The binding of b
// begins where a buffer can be bound, perhaps before the first number that the part uses. params.b_first is where the first
// row of b begins in the binding. If that is before the binding, params.b_first wraps, and the additions below wrap back.

// Where the number of b is that gates an element of a: `column` numbers after `b_row`, where its row begins in the binding of
// b. `in_row` is the index of the element in its row of a.
struct Place {
    b_row: u32,
    in_row: u32,
    column: u32,
}
// Where the numbers of b are that gate consecutive elements of a.
struct Places {
    first: Place,
    row: u32,      // elements in a row of a
    is_run: bool,  // whether all these elements lie in one step, or share one number of b
    stride: u32,   // in a run, from one element's number of b to the next one's
}
fn places(element: u32, count: u32) -> Places {
    let row = params.middle * params.inner;
    let outer = element / row;
    let in_row = element - outer * row;
    var first = Place(params.b_first + outer * params.inner, in_row, 0u);
    // A run ends with its step. If a step has one element, all steps of the row share one number of b, so the run ends with
    // the row.
    var run = row - in_row;
    if params.inner > 1u {
        first.column = in_row % params.inner;
        run = params.inner - first.column;
    }
    return Places(first, row, run >= count, select(1u, 0u, params.inner == 1u));
}
fn place(at: Place) -> u32 {
    return at.b_row + at.column;
}
fn next_place(at: Place, row: u32) -> Place {
    let ends_step = at.column + 1u == params.inner;
    let ends_row = at.in_row + 1u == row;
    return Place(
        at.b_row + select(0u, params.inner, ends_row),
        select(at.in_row + 1u, 0u, ends_row),
        select(at.column + 1u, 0u, ends_step),
    );
}
// Where the numbers of b are that gate four elements of a, and where the next element's number is.
struct Four {
    places: vec4<u32>,
    next: Place,
}
fn four_places(p0: Place, row: u32) -> Four {
    let p1 = next_place(p0, row);
    let p2 = next_place(p1, row);
    let p3 = next_place(p2, row);
    return Four(vec4<u32>(place(p0), place(p1), place(p2), place(p3)), next_place(p3, row));
}

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id);
    if in_body(i) {
        store_y(i, gate_words(load_a(i), 4u * i));
    }
}
@compute @workgroup_size(4)
fn tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane);
    if in_tail(i) {
        let before = load_y_word(i);
        store_y_word(i, merged(gate_tail(load_a_word(i), i), before, i));
    }
}

// The other bodies, which compute a vector at a time: body_aligned if each step of a is whole vectors, body_shared if inner is 1 and
// each row of a is whole vectors. There is no tail then. A row of their grid is whole rows of a, params.row_invocations vectors, of
// which body_aligned takes one row of a, and body_shared as many as there is room for. The grid begins with the row of a in which the
// part begins.

// The number of vectors in so many elements. Those of b_first may have wrapped.
fn vectors(elements: u32) -> u32 {
    return bitcast<u32>(bitcast<i32>(elements) >> VECTOR_BITS);
}
// n / d, if n is less than 2^20: a division of floats is off by less than half of 1 / d.
fn quotient(n: u32, d: u32) -> u32 {
    return u32((f32(n) + 0.5) / f32(d));
}
// The vector of the part that an invocation computes, if in_rows says that there is one.
fn vector_in_rows(id: vec3<u32>) -> u32 {
    return vector_index(id) - vectors(params.first);
}
fn in_rows(id: vec3<u32>) -> bool {
    return id.x < params.row_invocations && in_body(vector_in_rows(id));
}

@compute @workgroup_size(WORKGROUP)
fn body_aligned(@builtin(global_invocation_id) id: vec3<u32>) {
    if in_rows(id) {
        let i = vector_in_rows(id);
        let step = vectors(params.inner);
        let column = id.x - quotient(id.x, step) * step;
        store_y(i, gated_vector(load_a(i), load_b(vectors(params.b_first) + id.y * step + column)));
    }
}
@compute @workgroup_size(WORKGROUP)
fn body_shared(@builtin(global_invocation_id) id: vec3<u32>) {
    if in_rows(id) {
        let i = vector_in_rows(id);
        let row = vectors(params.middle);
        let number = id.y * quotient(params.row_invocations, row) + quotient(id.x, row);
        store_y(i, gated_vector(load_a(i), vec4<u32>(number_of_b(params.b_first + number))));
    }
}
fn gated_vector(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(gated(a.x, b.x), gated(a.y, b.y), gated(a.z, b.z), gated(a.w, b.w));
}
