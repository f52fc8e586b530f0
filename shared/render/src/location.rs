//! Names a source within one evaluation.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;

use jrsonnet_evaluator::SourcePath;
use jrsonnet_gcmodule::Acyclic;
use jrsonnet_ir::SourcePathT;

/// The tree that a file belongs to.
#[derive(Acyclic, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Root {
    /// The snippet's own files.
    Own,
    /// The library of this alias.
    Library(String),
}

/// What the engine does with the bytes of a file.
#[derive(Acyclic, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// Evaluates them.
    Code,
    /// Yields them to the program, which must see them unchanged.
    Text,
}

/// One source. The engine evaluates equal locations once.
#[derive(Acyclic, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Location {
    /// A file of the request.
    File {
        root: Root,
        path: String,
        reading: Reading,
        /// What diagnostics and `std.thisFile` show.
        shown: String,
    },
    /// Code of the request that is no file, by the name shown for it.
    Fragment(String),
}

impl Location {
    pub(crate) fn of(source: &SourcePath) -> Option<&Self> {
        source.downcast_ref()
    }

    pub(crate) fn into_source(self) -> SourcePath {
        SourcePath::new(self)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { shown, .. } | Self::Fragment(shown) => formatter.write_str(shown),
        }
    }
}

/// The engine puts this form into messages.
impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl SourcePathT for Location {
    fn is_default(&self) -> bool {
        false
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn dyn_hash(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn dyn_eq(&self, other: &dyn SourcePathT) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn dyn_debug(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
