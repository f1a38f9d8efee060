/// Gives an enum one name for each variant: `ALL`, `Display`, and `FromStr`, which ignores case. A variant without a name doesn't
/// compile.
macro_rules! named {
    ($type:ident, $what:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            #[doc = concat!("Every ", $what, ".")]
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        #[doc = concat!("Writes ", $("`", $name, "`, "),+, "which [`str::parse`] reads back.")]
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self {
                    $(Self::$variant => $name),+
                })
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::ParseError;

            fn from_str(text: &str) -> Result<Self, $crate::ParseError> {
                $crate::ParseError::find($what, text, Self::ALL)
            }
        }
    };
}
pub(crate) use named;
