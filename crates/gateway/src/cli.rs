//! The command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gw_config::Environment;

use crate::{assemble, explain, settings};

/// Stands between applications and model providers.
#[derive(Parser)]
#[command(name = "ai-gateway", version, about)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the configuration comes from, and what is allowed that usually is not.
#[derive(Args, Clone, Default)]
pub(crate) struct Options {
    /// The configuration file [default: $AI_GATEWAY_CONFIG, ai-gateway-config.yaml, gateway-config.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The environment whose keys are laid over the file's [default: $GATEWAY_ENV, $NODE_ENV, `environment` in the file]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Serve beyond this machine without asking for keys. Whoever reaches the port then spends your money
    #[arg(long = "i-know", global = true)]
    pub(crate) allow_unauthenticated: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Start the gateway (what happens without a command)
    Run,
    /// Say everything that is wrong with the configuration, without starting
    Check,
    /// Print the JSON Schema of the configuration
    Schema,
    /// Say what would be done with a request: whom it would go to, in which order and why
    Explain(Question),
}

/// A request that somebody asks about.
#[derive(Args)]
pub(crate) struct Question {
    /// The request: its JSON body, or {"path": …, "headers": {…}, "body": {…}}. `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// The path that it is sent to, where the file does not say so [default: /v1/chat/completions]
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let Arguments { options, command } = Arguments::parse();
    match command {
        None | Some(Command::Run) => run(&options),
        Some(Command::Check) => check(&options),
        Some(Command::Schema) => schema(),
        Some(Command::Explain(question)) => explain(&options, question),
    }
}

fn run(options: &Options) -> ExitCode {
    match assemble::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn check(options: &Options) -> ExitCode {
    match settings::check(options, &Environment::process()) {
        Ok(report) => {
            say(&report);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn explain(options: &Options, question: Question) -> ExitCode {
    match explain::explain(options, question) {
        Ok(plan) => {
            say(&plan);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn schema() -> ExitCode {
    match serde_json::to_string_pretty(&gw_config::schema()) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output. That nobody reads it is no error of ours.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
