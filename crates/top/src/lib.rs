//! The figures of a running Aside, live in the terminal, or a line a second where there is none. It knows what anybody can: the
//! events that the service tells of itself.

mod figures;
mod moments;
mod screen;

use std::{
    io::{self, ErrorKind, IsTerminal, Write, stdout},
    net::SocketAddr,
    thread,
    time::Duration,
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::{sync::mpsc, time::sleep};

use self::{
    figures::{Moment, Pace},
    moments::Moments,
    screen::Screen,
};

/// Pause before a service that has gone is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The service to watch.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// The address on which it listens.
    pub listen: SocketAddr,
    /// Its API token, for the keys that are asked for most.
    pub token: Option<&'a str>,
}

impl Watch<'_> {
    /// Watches until a key is pressed that ends it (`q`, Escape, Ctrl-C), nobody reads what is printed, or it is dropped. The
    /// terminal is as it was then.
    ///
    /// # Errors
    /// The service did not answer at first, or the terminal can't be used: the reason, in one line.
    pub async fn run(self) -> Result<(), String> {
        let listen = self.listen;
        let moments = Moments::of(listen, self.token).await;
        let moments = moments.map_err(|why| format!("the service at {listen} {why}"))?;
        let shown = if stdout().is_terminal() {
            self.on_screen(moments).await
        } else {
            self.follow(moments, print).await
        };
        match shown {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(format!("the terminal can't be used: {error}"))
            }
            _ => Ok(()),
        }
    }

    async fn on_screen(self, moments: Moments) -> io::Result<()> {
        let mut screen = Screen::open()?;
        let mut quit = keys();
        let show = |pace: &Pace, moment: Option<&Moment>| screen.draw(pace, moment, self.listen);
        tokio::select! {
            ended = self.follow(moments, show) => ended,
            _ = quit.recv() => Ok(()),
        }
    }

    /// Shows each moment, and none while the service is away.
    async fn follow(
        self,
        mut moments: Moments,
        mut show: impl FnMut(&Pace, Option<&Moment>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut pace = Pace::default();
        loop {
            while let Some(moment) = moments.next().await {
                pace.add(&moment);
                show(&pace, Some(&moment))?;
            }
            show(&pace, None)?;
            moments = loop {
                sleep(PAUSE).await;
                if let Ok(moments) = Moments::of(self.listen, self.token).await {
                    break moments;
                }
            };
        }
    }
}

/// A line for a moment.
fn print(pace: &Pace, moment: Option<&Moment>) -> io::Result<()> {
    let mut out = stdout().lock();
    match moment {
        Some(moment) => writeln!(out, "{}; {}", pace.said(), moment.loads_said())?,
        None => writeln!(out, "the service has gone")?,
    }
    out.flush()
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
