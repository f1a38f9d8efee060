// The gradient of the layer in forward.wgsl: dx = dz · wᵀ, where dz = gradient(z, g), and g is the gradient of y. A number of dz is
// computed when a tile takes it. dz itself is kept too, for the gradients of w and bias.

struct Shape {
    m: u32,
    n: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> dz: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

const TILE: u32 = 16u;
var<workgroup> dz_tile: array<array<f32, 16>, 16>;
var<workgroup> w_tile: array<array<f32, 16>, 16>;

@compute @workgroup_size(16, 16)
fn product(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>) {
    let row = id.y;
    let column = id.x;
    let first_w_row = column - at.x;
    var sum = 0.0;
    for (var start = 0u; start < shape.n; start += TILE) {
        let next = start + at.x;
        var of_dz = 0.0;
        if row < shape.m && next < shape.n {
            let i = row * shape.n + next;
            of_dz = gradient(z[i], g[i]);
            if first_w_row == 0u {
                dz[i] = of_dz;
            }
        }
        // Neighbours read neighbours: the tile is turned when it is used.
        let w_row = first_w_row + at.y;
        var of_w = 0.0;
        if w_row < shape.k && next < shape.n {
            of_w = w[w_row * shape.n + next];
        }
        dz_tile[at.y][at.x] = of_dz;
        w_tile[at.y][at.x] = of_w;
        workgroupBarrier();
        for (var i = 0u; i < TILE; i++) {
            sum += dz_tile[at.y][i] * w_tile[at.x][i];
        }
        workgroupBarrier();
    }
    if row < shape.m && column < shape.k {
        dx[row * shape.k + column] = sum;
    }
}
