//! How results are shown. Pure.

use clap::{Args, ValueEnum};

/// How the result is shown.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How the result is written to stdout.
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// When to use colour; `auto` heeds NO_COLOR, CLICOLOR_FORCE and TERM.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorWhen,
    /// Draw with ASCII characters only.
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) ascii: bool,
    /// Only results and errors: no scope, no progress, no summary.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// How the result is written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Counts, and what needs a look.
    #[default]
    Table,
    /// One line for each object.
    Wide,
    /// One sentence and what to type next, for a chat.
    Short,
    /// The tables for a ticket.
    Markdown,
    /// One document.
    Json,
    /// The same document as YAML.
    Yaml,
    /// Events as they happen, one line each; the document last.
    Ndjson,
    /// Names of the objects, for other commands.
    Name,
}

impl Format {
    /// Whether programs read it, so that every run, also a refused one, must answer with a document.
    pub(crate) fn is_document(self) -> bool {
        match self {
            Self::Json | Self::Yaml | Self::Ndjson => true,
            Self::Table | Self::Wide | Self::Short | Self::Markdown | Self::Name => false,
        }
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal that wants it.
    #[default]
    Auto,
    /// Also in pipes.
    Always,
    /// Never.
    Never,
}
