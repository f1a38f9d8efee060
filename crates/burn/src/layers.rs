//! The functions as burn modules.

use crate::{gate, hard_sigmoid, hard_swish};
use burn::{
    config::Config,
    module::{Content, DisplaySettings, Module, ModuleDisplay},
    nn::conv::{Conv2d, Conv2dConfig},
    tensor::{Device, Tensor, activation::relu},
};
use hard_sigmoid::HardSigmoid;

/// A definition as a constant of a module, which isn't part of its record.
#[derive(Clone, Debug)]
struct Definition(HardSigmoid);

macro_rules! layer {
    ($(#[$docs:meta])* $name:ident, $function:ident) => {
        $(#[$docs])*
        #[derive(Module, Debug)]
        #[module(custom_display)]
        pub struct $name {
            #[module(skip)]
            definition: Definition,
        }

        impl $name {
            /// Creates the layer of `definition`.
            pub fn new(definition: HardSigmoid) -> Self {
                Self {
                    definition: Definition(definition),
                }
            }

            /// The definition that it computes.
            pub fn definition(&self) -> HardSigmoid {
                self.definition.0
            }

            /// Applies the function to each element.
            pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
                $function(x, self.definition())
            }
        }

        impl ModuleDisplay for $name {
            fn custom_settings(&self) -> Option<DisplaySettings> {
                DisplaySettings::new().with_new_line_after_attribute(false).optional()
            }

            fn custom_content(&self, content: Content) -> Option<Content> {
                content.add("definition", &self.definition().to_string()).optional()
            }
        }
    };
}

layer!(
    /// [`hard_sigmoid`](hard_sigmoid()) as a module, to replace burn's `HardSigmoid`.
    HardSigmoidLayer,
    hard_sigmoid
);

layer!(
    /// [`hard_swish`] as a module, to replace burn's `HardSwish`.
    HardSwishLayer,
    hard_swish
);

/// The configuration of a [`SqueezeExcitation`].
#[derive(Config, Debug)]
pub struct SqueezeExcitationConfig {
    /// Channels of the input and of the output.
    pub channels: usize,
    /// Channels between the two convolutions.
    pub squeezed: usize,
}

impl SqueezeExcitationConfig {
    /// Creates the block, with `definition` for its gate: MobileNetV3's is `HardSigmoid::PYTORCH`.
    pub fn init(&self, definition: HardSigmoid, device: &Device) -> SqueezeExcitation {
        let pointwise = |from, to| Conv2dConfig::new([from, to], [1, 1]).init(device);
        SqueezeExcitation {
            fc1: pointwise(self.channels, self.squeezed),
            fc2: pointwise(self.squeezed, self.channels),
            definition: Definition(definition),
        }
    }
}

/// Squeeze-and-excitation (Hu et al., arXiv 1709.01507) as in MobileNetV3: the mean of each channel goes through a pointwise
/// convolution, ReLU and another pointwise convolution, and the hard sigmoid of the result is the gate of the channel.
///
/// Its parameters have torchvision's names: `fc1.weight`, `fc1.bias`, `fc2.weight`, `fc2.bias`.
#[derive(Module, Debug)]
pub struct SqueezeExcitation {
    /// From all channels to the squeezed ones.
    pub fc1: Conv2d,
    /// From the squeezed channels back to all.
    pub fc2: Conv2d,
    #[module(skip)]
    definition: Definition,
}

impl SqueezeExcitation {
    /// The definition of the gate.
    pub fn definition(&self) -> HardSigmoid {
        self.definition.0
    }

    /// Applies the block to a tensor of shape `[images, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let squeezed = x.clone().mean_dims(&[2, 3]);
        let b = self.fc2.forward(relu(self.fc1.forward(squeezed)));
        gate(x, b, self.definition())
    }
}
