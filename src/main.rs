//! The program; see `aside --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Many small allocations a hit, freed on another thread than the one that made them: mimalloc's case.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    aside::cli::run()
}
