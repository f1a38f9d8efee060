//! PNG pictures of SVG texts, with the fonts of the machine.

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};
use std::{error::Error, sync::Arc};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Draws PNG pictures. The fonts are loaded once.
pub struct Png(Options<'static>);

/// Pixels for each pixel of the SVG, so that it is sharp on today's screens.
const SCALE: f32 = 2.0;

impl Png {
    /// Loads the fonts; without one that the pictures use it is an error.
    pub fn new() -> Result<Self> {
        let mut options = Options::default();
        load_fonts(Arc::make_mut(&mut options.fontdb))?;
        Ok(Self(options))
    }

    /// The bytes of a PNG.
    pub fn draw(&self, svg: &str) -> Result<Vec<u8>> {
        let tree = Tree::from_str(svg, &self.0)?;
        let size = tree.size().to_int_size().scale_by(SCALE).ok_or("too large")?;
        let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("too large")?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        Ok(pixels.encode_png()?)
    }
}

const PLAIN: &[&str] = &["DejaVu Sans", "Liberation Sans", "Noto Sans", "Helvetica", "Arial"];
const MONO: &[&str] = &[
    "DejaVu Sans Mono",
    "Liberation Mono",
    "Noto Sans Mono",
    "Menlo",
    "Consolas",
];

/// Loads the machine's fonts, and names one for each generic family that the pictures use.
fn load_fonts(fonts: &mut Database) -> Result<()> {
    fonts.load_system_fonts();
    let installed = |wanted: &[&'static str]| {
        let is_installed = |name: &&str| {
            fonts
                .faces()
                .any(|face| face.families.iter().any(|(family, _)| family == name))
        };
        let found = wanted.iter().copied().find(is_installed);
        let missing = || format!("a PNG needs one of the fonts {wanted:?} (Debian: fonts-dejavu-core)");
        found.ok_or_else(missing)
    };
    let (plain, mono) = (installed(PLAIN)?, installed(MONO)?);
    fonts.set_sans_serif_family(plain);
    fonts.set_monospace_family(mono);
    Ok(())
}
