//! Flags that several commands share. Pure.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::complete;

/// Which snippets are meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Targets {
    /// Snippets in the namespace (-n).
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) names: Vec<String>,
    /// Snippets with these labels.
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) selector: Option<String>,
    /// Every snippet of every namespace; narrow it with -n.
    #[arg(long)]
    pub(crate) all: bool,
    /// With --selector: of every namespace, not only that of the context. --all and the states mean every namespace anyway.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
}

/// Where the operator is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Operator")]
pub(crate) struct OperatorArgs {
    /// Namespace of the operator. Otherwise it is found by its label: in all namespaces, or where you may not list those, in the context's and in jaas-system.
    #[arg(long, value_name = "NAMESPACE", env = "JAAS_OPERATOR_NAMESPACE", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) operator_namespace: Option<String>,
    /// Name of the Lease by which one replica leads; read from the operator's arguments otherwise.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) lease: Option<String>,
}

/// How a change is made.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Change")]
pub(crate) struct ChangeArgs {
    /// Change nothing: `client` shows the plan, `server` also tries rights and admission.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "client"
    )]
    pub(crate) dry_run: Option<DryRun>,
    /// Do it without being asked; needed where nobody can answer. What nothing brings back wants --confirm instead.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Why, in a few words, such as the number of an incident; stands in the Event on the object.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,
}

/// How a change is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Nothing that could change anything leaves the program.
    Client,
    /// The API server checks each change and drops it.
    Server,
}

impl DryRun {
    /// The word in documents.
    pub(crate) fn word(how: Option<Self>) -> &'static str {
        match how {
            None => "none",
            Some(Self::Client) => "client",
            Some(Self::Server) => "server",
        }
    }
}
