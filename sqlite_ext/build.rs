//! sqlite-loadable carries a SQLite of its own and calls two functions of it instead of the host's: `sqlite3_user_data`,
//! which reads a private struct of the host by its own layout, and `sqlite3_mprintf`, whose memory the host frees with
//! another allocator. The linker sends both calls to `src/host.rs`, which asks the host.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    if !set("CARGO_FEATURE_LOADABLE").is_empty() && set("CARGO_CFG_TARGET_OS") == "linux" {
        for function in ["sqlite3_user_data", "sqlite3_mprintf"] {
            println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={function}");
        }
        // A load that fails half way leaves functions registered: the library must not be unmapped under them.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
