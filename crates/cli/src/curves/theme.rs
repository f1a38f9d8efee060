//! Colours that the colour-blind tell apart (Okabe and Ito's), for light and dark pages. Lines differ in their dashes too.

use plotters::style::RGBColor;

/// The colours of a picture.
pub struct Theme {
    /// `light` or `dark`.
    pub name: &'static str,
    /// The colour behind everything.
    pub back: RGBColor,
    /// The colour of titles.
    pub ink: RGBColor,
    /// The colour of axes and of what stands beside them.
    pub soft: RGBColor,
    /// The colour of the lines of a grid.
    pub line: RGBColor,
    /// The colour of the logistic sigmoid.
    pub logistic: RGBColor,
    /// The colours of four curves: Keras and ONNX, Courbariaux, the tangent, PyTorch and JAX.
    pub colours: [RGBColor; 4],
}

/// The colours for light pages.
pub const LIGHT: Theme = Theme {
    name: "light",
    back: RGBColor(0xff, 0xff, 0xff),
    ink: RGBColor(0x1b, 0x1d, 0x21),
    soft: RGBColor(0x5b, 0x61, 0x6b),
    line: RGBColor(0xd8, 0xdc, 0xe2),
    logistic: RGBColor(0x6f, 0x75, 0x7e),
    colours: [
        RGBColor(0x00, 0x72, 0xb2),
        RGBColor(0xc1, 0x4e, 0x00),
        RGBColor(0x00, 0x84, 0x5f),
        RGBColor(0xb0, 0x4c, 0x8a),
    ],
};

/// The colours for dark pages.
pub const DARK: Theme = Theme {
    name: "dark",
    back: RGBColor(0x0d, 0x11, 0x17),
    ink: RGBColor(0xe9, 0xeb, 0xee),
    soft: RGBColor(0xa3, 0xa9, 0xb3),
    line: RGBColor(0x34, 0x3a, 0x44),
    logistic: RGBColor(0x9a, 0xa0, 0xaa),
    colours: [
        RGBColor(0x56, 0xb4, 0xe9),
        RGBColor(0xf0, 0x88, 0x3e),
        RGBColor(0x3f, 0xc5, 0x98),
        RGBColor(0xe0, 0x8f, 0xc0),
    ],
};
