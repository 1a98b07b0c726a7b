//! `aside check`: reads the file of resources, prepares every query, and shows what would be served.

use std::path::{Path, PathBuf};

use clap::Args;
use humantime::format_duration;
use tokio::runtime::Builder;

use super::command::{Failed, Result, block_on, print};
use crate::{
    app::{self, Configured, FILE},
    config::StackSettings,
    operator::aligned,
    resources::{Definition, file::DeclaredResource},
};

/// The file, and the settings that it is read with.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// File that is checked; without it that of --resources
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: Box<StackSettings>,
}

impl Check {
    pub(super) fn run(&self) -> Result {
        block_on(Builder::new_current_thread(), async {
            let path = self.file.as_deref().or(self.settings.resources.as_deref());
            let configured = open(&self.settings, path, |_| true).await?;
            let mut missing = Vec::new();
            for (name, triggers) in &configured.triggers {
                let of_one = triggers.missing().await.map_err(Failed::Failure)?;
                triggers.rights().await.map_err(|why| Failed::Failure(format!("{name}: {why}")))?;
                missing.extend(of_one.into_iter().map(|noting| noting.resource.clone()));
            }
            let noted: Vec<_> =
                configured.triggers.values().flat_map(|it| it.resources()).collect();
            let row = |definition: &Definition| {
                let name = &*definition.name;
                let changed_by = match (noted.contains(&name), missing.iter().any(|it| it == name))
                {
                    (true, true) => "triggers to be installed",
                    (true, false) => "triggers installed",
                    _ => "-",
                };
                vec![
                    name.to_owned(),
                    definition.signature.path().to_owned(),
                    definition.media.to_string(),
                    format!("ttl {}", format_duration(definition.policy.ttl)),
                    format!("changed_by {changed_by}"),
                ]
            };
            let rows: Vec<_> =
                configured.resources.iter().map(|(definition, _)| row(definition)).collect();
            if rows.is_empty() {
                let file = path.unwrap_or(Path::new(FILE));
                let why = if file.exists() { "declares none" } else { "is not here" };
                let why = format!("no resources are declared: {} {why}", file.display());
                return Err(Failed::Failure(why));
            }
            print(aligned(&rows))
        })
    }
}

/// All that the file declares and `is_wanted`, opened.
pub(super) async fn open(
    settings: &StackSettings,
    path: Option<&std::path::Path>,
    is_wanted: fn(&DeclaredResource) -> bool,
) -> Result<Configured> {
    let policy = app::policy(settings).map_err(Failed::refused)?;
    let failed = |fault: crate::resources::file::Fault| Failed::Failure(fault.to_string());
    let mut declared = app::declared(path, &policy).map_err(failed)?;
    declared.resources.retain(is_wanted);
    Configured::open(declared, settings).await.map_err(failed)
}
