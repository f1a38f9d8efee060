// The broadcast gate: b has one number for many numbers of a. a is seen as rows of params.middle steps of params.inner
// elements, b as rows of params.inner.
//
// The kernel works on words as elementwise.wgsl says. A binding may begin before its part of b does, where a buffer can be
// bound: params.b_first says where its first row begins. The part of a begins params.first elements into a row.

// Where an element's number of b is: the first one of its row, its column, and where the element is in its own row.
struct Place {
    b_row: u32,
    in_row: u32,
    column: u32,
}
// Places in the binding of b, of consecutive elements.
struct Places {
    first: Place,
    row: u32,      // elements in a row of a
    is_run: bool,  // whether all the elements that are asked for lie in one step, or share one number
    stride: u32,   // in a run, from one element's place to the next
}
fn places(element: u32, count: u32) -> Places {
    let row = params.middle * params.inner;
    let outer = element / row;
    let in_row = element - outer * row;
    var first = Place(params.b_first + outer * params.inner, in_row, 0u);
    // The elements that are left in the step. If a step is one element, all steps of the row share its gate, so they are
    // those left in the row.
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
// The places of four elements, and the place after them.
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
