//! `aside triggers`: what makes databases note which entries a change outdates.

use clap::Args;
use tokio::runtime::Builder;

use super::{
    check::open,
    command::{Failed, Result, block_on, print},
};
use crate::config::StackSettings;

/// The use of the triggers; without a flag they are printed.
#[derive(Args, Debug)]
pub(super) struct TriggersCommand {
    /// Install them, in place of those that are there
    #[arg(long, conflicts_with = "remove")]
    install: bool,
    /// Take them out
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    settings: Box<StackSettings>,
}

impl TriggersCommand {
    pub(super) fn run(&self) -> Result {
        block_on(Builder::new_current_thread(), async {
            let configured =
                open(&self.settings, self.settings.resources.as_deref(), |it| it.is_noted())
                    .await?;
            if configured.triggers.is_empty() {
                return Err(Failed::Failure(
                    "no resource has changed_by: there are no triggers".to_owned(),
                ));
            }
            for (name, triggers) in &configured.triggers {
                let failed = |why| Failed::Failure(format!("{name}: {why}"));
                let resources = triggers.resources().collect::<Vec<_>>().join(", ");
                if self.install {
                    triggers.install().await.map_err(failed)?;
                    print(format!("{name}: installed the triggers of {resources}\n"))?;
                } else if self.remove {
                    triggers.remove().await.map_err(failed)?;
                    print(format!("{name}: took out all triggers of aside\n"))?;
                } else {
                    print(format!(
                        "-- {name}: {resources}\nBEGIN;\n{}COMMIT;\n",
                        triggers.statements()
                    ))?;
                }
            }
            Ok(())
        })
    }
}
