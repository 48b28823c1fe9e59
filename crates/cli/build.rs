//! Says whether the weights of nano are there to embed, so that the program builds before they are.

fn main() {
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/nano/model.safetensors");
    println!("cargo::rustc-check-cfg=cfg(nano)");
    println!("cargo::rerun-if-changed=../../models/nano");
    if std::path::Path::new(weights).exists() {
        println!("cargo::rustc-cfg=nano");
    }
}
