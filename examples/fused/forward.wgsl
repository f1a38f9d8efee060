// A tiled matrix product: z = x · w + bias and y = epilogue(z). x is m × k, w is k × n, bias has n numbers.

struct Shape {
    m: u32,
    n: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const TILE: u32 = 16u;
var<workgroup> x_tile: array<array<f32, 16>, 16>;
var<workgroup> w_tile: array<array<f32, 16>, 16>;

@compute @workgroup_size(16, 16)
fn product(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>) {
    let row = id.y;
    let column = id.x;
    var sum = 0.0;
    for (var start = 0u; start < shape.k; start += TILE) {
        let x_column = start + at.x;
        let w_row = start + at.y;
        var of_x = 0.0;
        if row < shape.m && x_column < shape.k {
            of_x = x[row * shape.k + x_column];
        }
        var of_w = 0.0;
        if w_row < shape.k && column < shape.n {
            of_w = w[w_row * shape.n + column];
        }
        x_tile[at.y][at.x] = of_x;
        w_tile[at.y][at.x] = of_w;
        workgroupBarrier();
        for (var i = 0u; i < TILE; i++) {
            sum += x_tile[at.y][i] * w_tile[i][at.x];
        }
        workgroupBarrier();
    }
    if row < shape.m && column < shape.n {
        let i = row * shape.n + column;
        let before = sum + bias[column];
        z[i] = before;
        y[i] = epilogue(before);
    }
}
