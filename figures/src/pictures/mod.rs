//! Draws the pictures of `docs/definitions.md` from the crate's own results, and writes them as files.

mod drawn;

use crate::{Result, curves::theme, out::Out, write};
use clap::Args;
use resvg::{tiny_skia, usvg};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Draws every hard sigmoid: curves, gradients, kinks and roundings, each for light and dark pages, as SVG and PNG
#[derive(Args)]
pub struct Arguments {
    /// Folder to write the pictures to
    #[arg(long, value_name = "FOLDER", default_value_os_t = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures"))]
    output: PathBuf,
}

pub fn run(Arguments { output }: &Arguments, out: &mut Out) -> Result<()> {
    fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    let mut options = usvg::Options::default();
    load_fonts(Arc::make_mut(&mut options.fontdb))?;
    for theme in [theme::LIGHT, theme::DARK] {
        for (name, picture) in drawn::ALL {
            let svg = picture(&theme)?;
            let base = output.join(format!("{name}-{}", theme.name));
            write(&base.with_extension("svg"), svg.as_bytes())?;
            write(&base.with_extension("png"), &png(&svg, &options)?)?;
            writeln!(out, "{}.svg and .png", base.display())?;
        }
    }
    Ok(())
}

/// Loads the machine's fonts and sets one for each of the generic names that the pictures use.
fn load_fonts(fonts: &mut usvg::fontdb::Database) -> Result<()> {
    fonts.load_system_fonts();
    let installed = |wanted: &[&'static str]| {
        let is_installed = |name: &&str| {
            fonts
                .faces()
                .any(|face| face.families.iter().any(|(family, _)| family == name))
        };
        let found = wanted.iter().copied().find(is_installed);
        found.ok_or_else(|| format!("none of the fonts {wanted:?} is installed (Debian: fonts-dejavu-core)"))
    };
    let plain = installed(&["DejaVu Sans", "Liberation Sans", "Noto Sans", "Helvetica", "Arial"])?;
    let mono = installed(&[
        "DejaVu Sans Mono",
        "Liberation Mono",
        "Noto Sans Mono",
        "Menlo",
        "Consolas",
    ])?;
    fonts.set_sans_serif_family(plain);
    fonts.set_monospace_family(mono);
    Ok(())
}

/// Pixels for each unit of the SVG: enough for high-resolution screens.
const SCALE: f32 = 2.0;

fn png(svg: &str, options: &usvg::Options) -> Result<Vec<u8>> {
    let tree = usvg::Tree::from_str(svg, options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("too large")?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or("too large")?;
    let scale = tiny_skia::Transform::from_scale(SCALE, SCALE);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}
