//! The figures on a whole terminal.

use std::{io, net::SocketAddr};

use ratatui::{
    DefaultTerminal, Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    text::Line,
    widgets::{Block, Row, Sparkline, Table},
};

use crate::figures::{Hottest, Moment, Pace};

/// The terminal, which is as it was before once this is dropped.
pub(crate) struct Screen(DefaultTerminal);

impl Screen {
    pub(crate) fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }

    /// Draws a moment; without one, that the service has gone.
    pub(crate) fn draw(
        &mut self,
        pace: &Pace,
        moment: Option<&Moment>,
        listen: SocketAddr,
    ) -> io::Result<()> {
        let drawn = self.0.draw(|frame| match moment {
            Some(moment) => whole(frame, pace, moment, listen),
            None => frame.render_widget(
                Line::from(format!("The service at {listen} has gone; trying again. q ends this.")),
                frame.area(),
            ),
        });
        drawn.map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn whole(frame: &mut Frame<'_>, pace: &Pace, moment: &Moment, listen: SocketAddr) {
    let rows = |count: usize| Constraint::Length(u16::try_from(count).unwrap_or(u16::MAX) + 3);
    let [head, plot, resources, servers, keys] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(7),
        rows(moment.resources.len()),
        rows(moment.memcached.len()),
        Constraint::Min(0),
    ])
    .areas(frame.area());
    let lines = [
        Line::from(format!("aside at {listen}; q ends this")).dim(),
        Line::from(moment.verdict.as_str()).bold(),
        Line::from(format!("{}; {}", pace.said(), moment.loads_said())),
    ];
    frame.render_widget(ratatui::widgets::Paragraph::new(lines.to_vec()), head);
    let width = usize::from(plot.width.saturating_sub(2));
    let shown = pace.requests.iter().skip(pace.requests.len().saturating_sub(width)).copied();
    let most = pace.requests.iter().max().copied().unwrap_or(0);
    let title = format!("requests a second, at most {most}");
    let spark = Sparkline::default().block(Block::bordered().title(title)).data(shown);
    frame.render_widget(spark.style(Style::new().fg(Color::Green)), plot);
    frame.render_widget(of_resources(moment), resources);
    frame.render_widget(of_servers(moment), servers);
    let Some(of) = &moment.keys else {
        let told = Line::from("keys are told to those who have the API token: --api-token").dim();
        return frame.render_widget(told, keys);
    };
    let [missed, asked] = Layout::horizontal([Constraint::Fill(1); 2]).areas(keys);
    of_keys(frame, missed, "most missed in the last minute", &of.missed);
    of_keys(frame, asked, "hottest in the last minute", &of.asked);
}

fn table<const N: usize>(title: &str, heads: [&str; N], rows: Vec<[String; N]>) -> Table<'static> {
    let widths = [Constraint::Fill(1); N];
    let rows = rows.into_iter().map(Row::new);
    let head = Row::new(heads.map(str::to_owned)).dim();
    Table::new(rows, widths).header(head).block(Block::bordered().title(title.to_owned()))
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1} %"))
}

fn of_resources(moment: &Moment) -> Table<'static> {
    let rows = moment.resources.iter().filter_map(|(name, going)| {
        let ledger = moment.sources.get(name)?;
        Some([
            name.clone(),
            ledger.gets.to_string(),
            percent(ledger.hit_rate),
            ledger.loads.to_string(),
            ledger.loads_failed.to_string(),
            format!("{} of {}", going.running, going.running_max),
            format!("{} of {}", going.waiting, going.waiting_max),
        ])
    });
    let heads = ["name", "requests", "hit rate", "loads", "failed", "running", "waiting"];
    table("resources", heads, rows.collect())
}

fn of_servers(moment: &Moment) -> Table<'static> {
    let number = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let rows = moment.memcached.iter().map(|it| {
        let rate = percent(it.hit_rate_without_leases);
        let [items, bytes, evictions] = [it.curr_items, it.bytes, it.evictions].map(number);
        [it.server.clone(), it.state.clone(), items, bytes, evictions, rate]
    });
    let heads = ["server", "state", "items", "bytes", "evictions", "hit rate"];
    table("memcached", heads, rows.collect())
}

fn of_keys(frame: &mut Frame<'_>, area: Rect, title: &str, hottest: &Hottest) {
    let rows = hottest.keys.iter().map(|(key, count)| [key.clone(), count.to_string()]);
    frame.render_widget(table(title, ["key", "times"], rows.collect()), area);
}
