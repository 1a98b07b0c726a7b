//! The cookie by which a browser keeps the id of its session.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::{
    http::{Context, problem::Problem},
    sessions::SessionId,
};

/// The name of the cookie.
pub(in crate::http) const NAME: &str = "aside_session";

/// The id in the cookie of a request.
///
/// # Errors
/// [`Problem::NoSuchSession`] if there is none, or one that holds no id; [`Problem::RepeatedCookie`] if there are
/// several: a browser sends two when a neighbouring site has planted one, and nothing tells which is which.
pub(super) fn id(headers: &HeaderMap) -> Result<SessionId, Problem> {
    let fields = headers.get_all(header::COOKIE).iter();
    // A byte that is no UTF-8 may stand in somebody else's cookie; in place of it, it is in no id.
    let fields: Vec<_> = fields.map(|field| String::from_utf8_lossy(field.as_bytes())).collect();
    let cookies = fields.iter().flat_map(|field| field.split(';'));
    let cookies = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    let mut ours = cookies.filter(|(name, _)| name.trim_end() == NAME);
    match (ours.next(), ours.next()) {
        (Some(_), Some(_)) => Err(Problem::RepeatedCookie),
        (one, _) => one
            .and_then(|(_, value)| SessionId::parse(value.trim_start()))
            .ok_or(Problem::NoSuchSession),
    }
}

/// Lets the browser keep `id` for as long as the session lives without being used.
pub(super) fn set(headers: &mut HeaderMap, context: &Context, id: &SessionId) {
    insert(headers, context, id.reveal(), context.sessions.life_s());
}

/// Lets the browser drop its cookie.
pub(super) fn clear(headers: &mut HeaderMap, context: &Context) {
    insert(headers, context, "", 0);
}

fn insert(headers: &mut HeaderMap, context: &Context, value: &str, life_s: u32) {
    let secure = if context.cookies_secure { "; Secure" } else { "" };
    let cookie =
        format!("{NAME}={value}; HttpOnly; SameSite=Lax{secure}; Path=/; Max-Age={life_s}");
    // It is made of an id, a number and words of this file, so that it is always a header value.
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        headers.insert(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&[u8]]) -> Result<SessionId, Problem> {
        let fields = fields.iter().map(|field| HeaderValue::from_bytes(field).unwrap());
        id(&fields.map(|field| (header::COOKIE, field)).collect())
    }

    #[test]
    fn one_cookie_of_the_name_is_read_wherever_it_stands() {
        let id = "A".repeat(43);
        for field in [
            format!("aside_session={id}"),
            format!("a=b; aside_session={id}; c=d"),
            format!("aside_session={id};"),
            format!("a; =; ;;aside_session={id}; A=\"x\""),
            format!("xaside_session=1; Aside_Session=2; aside_session={id}"),
            format!("ä=ö; aside_session={id}"),
        ] {
            assert_eq!(read(&[field.as_bytes()]).unwrap().reveal(), id, "{field}");
        }
        let field = format!("aside_session={id}");
        assert_eq!(read(&[b"a=\xff", field.as_bytes()]).unwrap().reveal(), id);
    }

    #[test]
    fn no_cookie_or_one_without_an_id_is_no_session() {
        let id = "A".repeat(43);
        for field in [
            String::new(),
            "aside_session".to_owned(),
            "aside_session=".to_owned(),
            format!("aside_session=\"{id}\""),
            format!("aside_session={id}A"),
            format!("aside_session=%41{}", &id[1..]),
            format!("session={id}"),
        ] {
            assert_eq!(read(&[field.as_bytes()]), Err(Problem::NoSuchSession), "{field}");
        }
        assert_eq!(read(&[]), Err(Problem::NoSuchSession));
    }

    #[test]
    fn of_two_cookies_none_is_chosen_even_if_they_are_equal() {
        let (a, b) = ("A".repeat(43), "B".repeat(43));
        for [one, other] in [[&a, &b], [&a, &a], [&a, &String::new()]] {
            let fields = [one, other].map(|id| format!("aside_session={id}"));
            let joined = fields.join("; ");
            assert_eq!(read(&[joined.as_bytes()]), Err(Problem::RepeatedCookie));
            let apart = fields.each_ref().map(|field| field.as_bytes());
            assert_eq!(read(&apart), Err(Problem::RepeatedCookie));
        }
    }
}
