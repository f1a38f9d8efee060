//! Trains the binarized multilayer network of Courbariaux et al. on handwritten digits, on burn's wgpu backend.
//!
//! ```text
//! cargo run --release -p hard-sigmoid-burn --example train_digits
//! cargo run --release -p hard-sigmoid-burn --example train_digits -- --table
//! ```
//!
//! Weights and activations are 1 or -1 in every pass. Each has a real-valued weight that collects the gradients, which go straight
//! through, and is clipped to [-1, 1] (BinaryNet, arXiv 1602.02830, algorithm 1). There is batch normalisation between the
//! layers; the loss is the square hinge.

mod plot;

use burn::{
    module::{Module, Param},
    nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig},
    optim::{AdamConfig, GradientsParams, ModuleOptimizer},
    tensor::{Device, DeviceKind, Distribution, Int, Tensor, TensorData, activation::relu},
};
use clap::Parser;
use hard_sigmoid_burn::{Binarization, HardSigmoid, StraightThrough, binarize};
use indicatif::{ProgressBar, ProgressStyle};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// Trains a binarized network on the first half of scikit-learn's handwritten digits, and tests it on the second half, by other
/// writers.
#[derive(Parser)]
struct Arguments {
    /// Also train with activations drawn at random, with each preset as their probability
    #[arg(long)]
    table: bool,
    /// Passes over the training images
    #[arg(long, default_value_t = 100)]
    epochs: usize,
    /// Units of each of the three hidden layers
    #[arg(long, default_value_t = 384)]
    hidden: usize,
    /// Seed of weights, batches and draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Compute on the host, with burn's backend flex, instead of a wgpu adapter
    #[arg(long)]
    cpu: bool,
    /// File to write the picture to
    #[arg(long, default_value = "train_digits.svg", value_name = "PICTURE.svg")]
    output: PathBuf,
}

/// Number of images in a batch.
const BATCH: usize = 64;

/// The activation between the layers.
#[derive(Clone, Copy)]
enum Activation {
    /// No activation, and real weights: with one layer, a linear classifier.
    Linear,
    Sign,
    /// 1 with this probability, else -1.
    Drawn(HardSigmoid),
}

#[derive(Module, Debug)]
struct Network {
    weights: Vec<Param<Tensor<2>>>,
    norms: Vec<BatchNorm>,
    /// Drops pixels, in training only.
    dropout: Dropout,
}

impl Network {
    fn new(widths: &[usize], device: &Device) -> Self {
        let weights = widths.windows(2).map(|pair| {
            let values = Tensor::random([pair[0], pair[1]], Distribution::Uniform(-0.1, 0.1), device);
            Param::from_tensor(values)
        });
        let norms = widths[1..]
            .iter()
            .map(|&width| BatchNormConfig::new(width).init(device));
        Self {
            weights: weights.collect(),
            norms: norms.collect(),
            dropout: DropoutConfig::new(0.2).init(),
        }
    }

    /// Ten scores for each image. `drawn` counts the random numbers used so far.
    fn forward(&self, images: Tensor<2>, activation: Activation, seed: u64, drawn: &mut u64) -> Tensor<2> {
        let last = self.weights.len() - 1;
        let mut x = self.dropout.forward(images);
        for (i, (weight, norm)) in self.weights.iter().zip(&self.norms).enumerate() {
            let weight = match activation {
                Activation::Linear => weight.val(),
                _ => binarize(weight.val(), Binarization::Deterministic, StraightThrough::Identity),
            };
            x = norm.forward(x.matmul(weight));
            if i == last {
                break;
            }
            let how = match activation {
                Activation::Linear => continue,
                Activation::Sign => Binarization::Deterministic,
                Activation::Drawn(probability) => Binarization::Stochastic {
                    probability,
                    seed,
                    offset: *drawn,
                },
            };
            *drawn += x.shape().num_elements() as u64;
            x = binarize(x, how, StraightThrough::HardTanh);
        }
        x
    }

    /// Clips the real weights: beyond 1 they would grow without changing their signs.
    fn clipped(mut self) -> Self {
        let clip = |weight: Param<Tensor<2>>| weight.map(|values| values.clamp(-1.0, 1.0).detach().require_grad());
        self.weights = self.weights.into_iter().map(clip).collect();
        self
    }
}

/// Half of the data.
struct Half {
    images: Tensor<2>,
    labels: Vec<u8>,
}

impl Half {
    fn accuracy(&self, network: &Network, activation: Activation) -> f64 {
        // Signs are not drawn in a test.
        let activation = match activation {
            Activation::Drawn(_) => Activation::Sign,
            other => other,
        };
        let scores = network.forward(self.images.clone(), activation, 0, &mut 0);
        let chosen = scores.argmax(1).into_data();
        let right = chosen
            .iter::<i64>()
            .zip(&self.labels)
            .filter(|&(a, &b)| a == i64::from(b));
        right.count() as f64 / self.labels.len() as f64
    }
}

/// Training and test accuracy after each epoch.
struct Course {
    name: String,
    accuracies: Vec<[f64; 2]>,
}

struct Training<'a> {
    device: &'a Device,
    train: &'a Half,
    test: &'a Half,
    arguments: &'a Arguments,
}

impl Training<'_> {
    fn run(&self, name: &str, widths: &[usize], activation: Activation) -> Course {
        let Arguments { epochs, seed, .. } = *self.arguments;
        let device = self.device.clone().autodiff();
        device.seed(seed);
        let mut random = SmallRng::seed_from_u64(seed);
        let mut network = Network::new(widths, &device);
        let mut optimizer: ModuleOptimizer = AdamConfig::new().init();
        let mut drawn = 0;
        let mut order: Vec<i32> = (0..self.train.labels.len() as i32).collect();
        let batches = order.len() / BATCH;
        let bar = ProgressBar::new((epochs * batches) as u64).with_style(
            ProgressStyle::with_template("{prefix:<22} {bar:24} {msg} {eta} left").expect("the template is valid"),
        );
        bar.set_prefix(name.to_string());
        let start = Instant::now();
        let images = Tensor::<2>::from_data(self.train.images.to_data(), &device);
        let mut accuracies = Vec::new();
        for epoch in 0..epochs {
            // The learning rate falls from 0.01 to 0.0003.
            let rate = 0.01 * 0.03f64.powf(epoch as f64 / epochs as f64);
            order.shuffle(&mut random);
            for rows in order.chunks_exact(BATCH) {
                let wanted: Vec<f32> = rows
                    .iter()
                    .flat_map(|&row| {
                        let label = self.train.labels[row as usize];
                        (0..10).map(move |digit| if digit == label { 1.0 } else { -1.0 })
                    })
                    .collect();
                let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [BATCH, 10]), &device);
                let rows = Tensor::<1, Int>::from_data(TensorData::new(rows.to_vec(), [BATCH]), &device);
                let scores = network.forward(images.clone().select(0, rows), activation, seed, &mut drawn);
                let loss = relu(scores.mul(wanted).neg().add_scalar(1.0)).square().mean();
                let gradients = GradientsParams::from_grads(loss.backward(), &network);
                network = optimizer.step(rate, network, gradients);
                if !matches!(activation, Activation::Linear) {
                    network = network.clipped();
                }
                bar.inc(1);
            }
            let trained = network.valid();
            let now = [self.train, self.test].map(|half| half.accuracy(&trained, activation));
            bar.set_message(format!(
                "epoch {:>3}: train {:5.1}%, test {:5.1}%",
                epoch + 1,
                now[0] * 100.0,
                now[1] * 100.0
            ));
            accuracies.push(now);
        }
        bar.finish_and_clear();
        let [train, test] = accuracies
            .last()
            .expect("at least one epoch")
            .map(|accuracy| accuracy * 100.0);
        println!(
            "{name:<36} {train:>6.1}% {test:>6.1}%  {:>5.0} s",
            start.elapsed().as_secs_f64()
        );
        Course {
            name: name.into(),
            accuracies,
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.epochs == 0 || arguments.hidden == 0 {
        eprintln!("train_digits: --epochs and --hidden have to be at least 1");
        std::process::exit(2);
    }
    let device = if arguments.cpu {
        Device::flex()
    } else {
        Device::wgpu(DeviceKind::DefaultDevice)
    };
    let [train, test] = halves(&device);
    let on = device
        .identity()
        .map_or("the host".into(), |identity| identity.name.to_string());
    println!(
        "{} images to train on, {} to test, 64 -> 3 x {} -> 10 units, {} epochs, on {on}\n",
        train.labels.len(),
        test.labels.len(),
        arguments.hidden,
        arguments.epochs
    );
    println!("{:<36} {:>7} {:>7}  {:>7}", "network", "train", "test", "time");
    let training = Training {
        device: &device,
        train: &train,
        test: &test,
        arguments: &arguments,
    };
    let hidden = arguments.hidden;
    let widths = [64, hidden, hidden, hidden, 10];
    let mut courses = vec![
        training.run("linear classifier, real weights", &[64, 10], Activation::Linear),
        training.run("binarized by sign", &widths, Activation::Sign),
    ];
    if arguments.table {
        for preset in HardSigmoid::PRESETS {
            let name = format!("binarized, drawn with {}", preset.name);
            courses.push(training.run(&name, &widths, Activation::Drawn(preset.definition)));
        }
    }
    if let Err(error) = plot::draw(&arguments.output, &courses) {
        eprintln!("train_digits: {}: {error}", arguments.output.display());
        std::process::exit(2);
    }
    println!("\nBinaryNet's authors reach 99.0% on MNIST (3 x 4096 units, 60,000 images to train on).");
    println!("picture: {}", arguments.output.display());
}

fn halves(device: &Device) -> [Half; 2] {
    let read = |name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        npyz::NpyFile::new(&bytes[..])
            .and_then(|file| file.into_vec::<u8>())
            .expect("made by make.py")
    };
    let (images, labels) = (read("digits.images.npy"), read("digits.labels.npy"));
    let pixels: Vec<f32> = images.iter().map(|&pixel| f32::from(pixel) / 8.0 - 1.0).collect();
    let middle = labels.len() / 2;
    [0..middle, middle..labels.len()].map(|rows| {
        let values = pixels[rows.start * 64..rows.end * 64].to_vec();
        Half {
            images: Tensor::from_data(TensorData::new(values, [rows.len(), 64]), device),
            labels: labels[rows].to_vec(),
        }
    })
}
