//! With the feature `header`, writes include/runner.h from the Rust sources. Without it, does nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "header")]
    header::write();
}

#[cfg(feature = "header")]
mod header {
    use std::env;
    use std::path::Path;

    pub fn write() {
        println!("cargo:rerun-if-changed=cbindgen.toml");
        println!("cargo:rerun-if-changed=src");
        let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        let root = Path::new(&root);
        let config =
            cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
        cbindgen::Builder::new()
            .with_config(config)
            .with_src(root.join("src/stage.rs"))
            .with_src(root.join("src/capi/options.rs"))
            .with_src(root.join("src/capi/root.rs"))
            .with_src(root.join("src/capi/error.rs"))
            .with_src(root.join("src/capi/start.rs"))
            .with_src(root.join("src/capi/held.rs"))
            .with_src(root.join("src/run/outcome.rs"))
            .with_src(root.join("src/capi/limits.rs"))
            .with_src(root.join("src/capi/result.rs"))
            .with_src(root.join("src/capi/process.rs"))
            .with_src(root.join("src/capi/probe.rs"))
            .generate()
            .expect("cbindgen")
            .write_to_file(root.join("include/runner.h"));
    }
}
