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
