//! Draws the pictures of `docs/definitions.md` from the crate's own results, and writes them as files.

mod drawn;

use crate::{Result, shared::write};
use clap::Args;
use hard_sigmoid_cli::{
    curves::{png::Png, theme},
    out::Out,
};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Draws every hard sigmoid: curves, gradients, kinks and roundings, each for light and dark pages, as SVG and PNG
#[derive(Args)]
pub struct Arguments {
    /// Folder to write the pictures to
    #[arg(long, value_name = "FOLDER", default_value_os_t = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures"))]
    output: PathBuf,
}

pub fn run(Arguments { output }: &Arguments, out: &mut Out) -> Result<()> {
    fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    let png = Png::new()?;
    for theme in [theme::LIGHT, theme::DARK] {
        for (name, picture) in drawn::ALL {
            let svg = picture(&theme)?;
            let base = output.join(format!("{name}-{}", theme.name));
            write(&base.with_extension("svg"), svg.as_bytes())?;
            write(&base.with_extension("png"), &png.draw(&svg)?)?;
            writeln!(out, "{}.svg and .png", base.display())?;
        }
    }
    Ok(())
}
