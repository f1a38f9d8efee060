//! A layer y = activation(x · w + bias) on a GPU, with kernels of one's own. The activation is a function that is put into them.

use wgpu::util::DeviceExt;

/// x is m × k, w is k × n, y is m × n.
#[derive(Clone, Copy)]
pub struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

/// What both kernels read: matrices by rows.
pub struct Data {
    pub shape: Shape,
    pub x: Vec<f32>,
    pub w: Vec<f32>,
    pub bias: Vec<f32>,
    /// The gradient of y.
    pub g: Vec<f32>,
}

impl Data {
    /// Numbers such that x · w is exact in any order, so that z is the same on every driver.
    pub fn new(shape: Shape) -> Self {
        let Shape { m, n, k } = shape;
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut quarters = |len| (0..len).map(|_| (random() % 9) as f32 * 0.25 - 1.0).collect();
        let (x, w) = (quarters(m * k), quarters(k * n));
        let mut numbers = |len| (0..len).map(|_| random() as f32 / 1e7 - 0.8).collect();
        Self {
            shape,
            x,
            w,
            bias: numbers(n),
            g: numbers(m * n),
        }
    }
}

/// A layer's buffers and pipelines.
pub struct Layer<'a> {
    pub device: &'a wgpu::Device,
    pub queue: &'a wgpu::Queue,
    shape: Shape,
    pub z: wgpu::Buffer,
    pub y: wgpu::Buffer,
    pub dz: wgpu::Buffer,
    pub dx: wgpu::Buffer,
    /// The shape, x, w, bias and g.
    pub inputs: [wgpu::Buffer; 5],
}

/// A kernel with the buffers that it binds.
pub struct Kernel {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: [u32; 2],
}

impl<'a> Layer<'a> {
    pub fn new(device: &'a wgpu::Device, queue: &'a wgpu::Queue, data: &Data) -> Self {
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let filled = |contents: &[u8], usage| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: None,
                contents,
                usage,
            })
        };
        let empty = |len: usize| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 4 * len as u64,
                usage: storage,
                mapped_at_creation: false,
            })
        };
        let Shape { m, n, k } = data.shape;
        let sizes = [m, n, k, 0].map(|size| size as u32);
        let [x, w, bias, g] =
            [&data.x, &data.w, &data.bias, &data.g].map(|it| filled(bytemuck::cast_slice(it), storage));
        let shape = filled(bytemuck::cast_slice(&sizes), wgpu::BufferUsages::UNIFORM);
        Self {
            device,
            queue,
            shape: data.shape,
            z: empty(m * n),
            y: empty(m * n),
            dz: empty(m * n),
            dx: empty(m * k),
            inputs: [shape, x, w, bias, g],
        }
    }

    /// y and z. The text has `fn epilogue(z: f32) -> f32`.
    pub fn forward(&self, epilogue: &str) -> Kernel {
        let [shape, x, w, bias, _] = &self.inputs;
        let text = format!("{epilogue}\n{}", include_str!("forward.wgsl"));
        self.kernel(
            &text,
            &[shape, x, w, bias, &self.z, &self.y],
            [self.shape.m, self.shape.n],
        )
    }

    /// dx and dz. The text has `fn gradient(z: f32, g: f32) -> f32`.
    pub fn backward(&self, gradient: &str) -> Kernel {
        let [shape, _, w, _, g] = &self.inputs;
        let text = format!("{gradient}\n{}", include_str!("backward.wgsl"));
        self.kernel(
            &text,
            &[shape, &self.z, g, w, &self.dz, &self.dx],
            [self.shape.m, self.shape.k],
        )
    }

    fn kernel(&self, text: &str, bound: &[&wgpu::Buffer], [rows, columns]: [usize; 2]) -> Kernel {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries: Vec<_> = (0..)
            .zip(bound)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Kernel {
            pipeline,
            group,
            workgroups: [columns, rows].map(|size| size.div_ceil(16) as u32),
        }
    }

    /// A buffer's contents.
    pub fn read(&self, from: &wgpu::Buffer) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: from.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from, 0, &staging, 0, from.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapping"));
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..)?[..]))
    }
}

impl Kernel {
    pub fn dispatch(&self, pass: &mut wgpu::ComputePass) {
        let [x, y] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }
}
