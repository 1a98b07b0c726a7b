//! `aside top`: the figures of a running service, live in the terminal, or a line a second where there is none.

mod figures;
mod screen;

use std::{
    io::{IsTerminal, stdout},
    thread,
    time::Duration,
};

use axum::{BoxError, body::Bytes, http::StatusCode};
use clap::Args;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::{sync::mpsc, time::sleep};

use self::{
    figures::{Moment, Pace},
    screen::Screen,
};
use super::{
    command::{self, Failed, Result},
    service::Service,
    signals::Signals,
};
use crate::{config::Secret, escape::Escaped};

/// Pause before a service that has gone is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest event that is read; a longer one is none of ours.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// The service to watch.
#[derive(Args, Debug)]
pub(super) struct Top {
    #[command(flatten)]
    service: Service,

    /// Token of the service, for the keys that are asked for most
    #[arg(long, env = "ASIDE_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    api_token: Option<Secret>,
}

/// The moments of a service as they come.
struct Moments {
    body: Incoming,
    read: Vec<u8>,
}

impl Top {
    /// Watches until it is told to end.
    pub(super) async fn run(&self) -> Result {
        let listen = self.service.listen;
        let away =
            |error| Failed::Failure(format!("the service at {listen} does not answer: {error}"));
        let moments = self.moments().await.map_err(away)?;
        let mut signals = Signals::receive()?;
        if !stdout().is_terminal() {
            return tokio::select! {
                ended = self.follow(moments, print) => ended,
                _ = signals.next() => Ok(()),
            };
        }
        let mut screen = Screen::open()?;
        let mut quit = keys();
        let show = |pace: &mut Pace, moment: Option<&Moment>| screen.draw(pace, moment, listen);
        tokio::select! {
            ended = self.follow(moments, show) => ended,
            _ = signals.next() => Ok(()),
            _ = quit.recv() => Ok(()),
        }
    }

    async fn moments(&self) -> Result<Moments, BoxError> {
        let answer = self.service.open("/events", self.api_token.as_ref()).await?;
        match answer.status() {
            StatusCode::OK => Ok(Moments { body: answer.into_body(), read: Vec::new() }),
            status => Err(status.to_string().into()),
        }
    }

    /// Shows each moment, and none while the service is away.
    async fn follow(
        &self,
        mut moments: Moments,
        mut show: impl FnMut(&mut Pace, Option<&Moment>) -> Result,
    ) -> Result {
        let mut pace = Pace::default();
        loop {
            while let Some(moment) = moments.next().await {
                pace.add(&moment);
                show(&mut pace, Some(&moment))?;
            }
            show(&mut pace, None)?;
            moments = loop {
                sleep(PAUSE).await;
                if let Ok(moments) = self.moments().await {
                    break moments;
                }
            };
        }
    }
}

impl Moments {
    async fn next(&mut self) -> Option<Moment> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                let moment = event.strip_prefix(b"data: ").map(serde_json::from_slice);
                if let Some(Ok(moment)) = moment {
                    return Some(moment);
                }
                continue;
            }
            let part: Bytes = self.body.frame().await?.ok()?.into_data().ok()?;
            if self.read.len() + part.len() > EVENT_BYTES_MAX {
                return None;
            }
            self.read.extend_from_slice(&part);
        }
    }
}

/// A line for a moment.
fn print(pace: &mut Pace, moment: Option<&Moment>) -> Result {
    let Some(moment) = moment else { return command::print("the service has gone\n") };
    let line = format!("{}; {}", pace.said(), moment.loads_said());
    command::print(format!("{}\n", Escaped(&line)))
}

/// Hears of `q`, Escape and Ctrl-C. The thread ends with the process: nothing else can end a read of the terminal.
fn keys() -> mpsc::Receiver<()> {
    let (told, quit) = mpsc::channel(1);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Event::Key(key) = event
                && key.kind == KeyEventKind::Press
                && (matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
                    || key.code == KeyCode::Char('c')
                        && key.modifiers.contains(KeyModifiers::CONTROL))
            {
                let _ = told.blocking_send(());
            }
        }
    });
    quit
}
