// Replaces each byte by the one that the table has for it, in the grid of elementwise.wgsl.

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id);
    if in_body(i) {
        let x = load_x(i);
        store_y(i, vec4<u32>(looked_up(x.x), looked_up(x.y), looked_up(x.z), looked_up(x.w)));
    }
}
@compute @workgroup_size(4)
fn tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane);
    if in_tail(i) {
        store_y_word(i, merged(looked_up(load_x_word(i)), load_y_word(i), i));
    }
}
