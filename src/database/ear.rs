//! Being told, on either database, that others have committed.

use super::{postgres, sqlite, statement::Pool};

/// An ear at a database.
pub(super) enum Ear {
    Sqlite(sqlite::Ear),
    Postgres(postgres::Ear),
}

impl Ear {
    /// An ear at the database of `pool`.
    pub(super) fn at(pool: &Pool) -> Self {
        match pool {
            Pool::Sqlite(pool) => Self::Sqlite(sqlite::Ear::at(pool)),
            Pool::Postgres(pool) => Self::Postgres(postgres::Ear::at(pool)),
        }
    }

    /// Waits until a look is due.
    pub(super) async fn due(&mut self) {
        match self {
            Self::Sqlite(ear) => ear.due().await,
            Self::Postgres(ear) => ear.due().await,
        }
    }
}
