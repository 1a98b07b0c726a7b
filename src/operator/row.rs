//! One server among the figures.

use serde::Serialize;

use super::per_cent;
use crate::memcached::{InspectError, ServerFigures};

/// One server as `/stats` and `aside cache stats` show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerRow {
    /// Its address as the setting has it.
    pub server: String,
    /// `in service`, `out of service` or `starting`, as this process sees it; absent if it does not use the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: ServerFigures,
    /// `get_hits` of all gets, in per cent; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_rate: Option<f64>,
    /// Leases given on absent keys: hits to memcached, misses to whoever asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<u64>,
    /// `get_hits` less `leases` of all gets, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_rate_without_leases: Option<f64>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ServerRow {
    /// The row of `server`, which has given these figures, or the reason why it has not.
    pub fn new(
        server: impl ToString,
        state: Option<&'static str>,
        figures: Result<ServerFigures, InspectError>,
    ) -> Self {
        let (figures, error) = match figures {
            Ok(figures) => (figures, None),
            Err(error) => (ServerFigures::default(), Some(error.to_string())),
        };
        let (hits, misses) = (figures.get_hits, figures.get_misses);
        let hit_rate = hits.zip(misses).and_then(|(hits, misses)| per_cent(hits, hits + misses));
        let found = figures.gets();
        let hit_rate_without_leases = found.and_then(|(gets, found)| per_cent(found, gets));
        let leases = figures.leases();
        let server = server.to_string();
        Self { server, state, figures, hit_rate, leases, hit_rate_without_leases, error }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn figures(stats: &[(&str, &str)]) -> ServerFigures {
        let owned = |&(name, figure): &(&str, &str)| (name.to_owned(), figure.to_owned());
        ServerFigures::read(stats.iter().map(owned).collect::<HashMap<_, _>>())
    }

    #[test]
    fn what_is_missing_or_no_number_is_left_out_and_the_rest_is_read() {
        let figures = figures(&[("version", "1.6.18"), ("uptime", "x"), ("curr_items", "7")]);
        let row = serde_json::to_value(ServerRow::new("a:1".to_owned(), None, Ok(figures)));
        let expected = serde_json::json!({"server": "a:1", "version": "1.6.18", "curr_items": 7});
        assert_eq!(row.unwrap(), expected);
    }

    #[test]
    fn the_leases_are_the_items_that_no_set_has_made() {
        // Ten gets of absent keys, eight of them filled, two refused; ten hits afterwards.
        let figures = figures(&[
            ("get_hits", "20"),
            ("get_misses", "0"),
            ("total_items", "18"),
            ("cmd_set", "10"),
            ("cas_misses", "1"),
            ("cas_badval", "1"),
        ]);
        let row = ServerRow::new("a:1".to_owned(), None, Ok(figures));
        assert_eq!((row.hit_rate, row.leases), (Some(100.0), Some(10)));
        assert_eq!(row.hit_rate_without_leases, Some(50.0));
    }

    #[test]
    fn there_is_no_rate_before_the_first_get() {
        let figures = figures(&[("get_hits", "0"), ("get_misses", "0")]);
        assert_eq!(ServerRow::new("a:1".to_owned(), None, Ok(figures)).hit_rate, None);
    }
}
