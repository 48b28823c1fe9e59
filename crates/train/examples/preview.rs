//! Prints what a recipe shows: `cargo run --release -p rewardanything-train --example preview -- RECIPE PROGRESS COUNT`.
//!
//! One JSON object a line: the messages, the reply, and the marks (start, end, kind) that metrics follow.

use rewardanything_train::examples::Maker;
use rewardanything_train::pool::Pool;
use rewardanything_train::recipe::Recipe;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, progress, count] = &arguments[..] else {
        return Err("usage: preview RECIPE PROGRESS(0..1) COUNT".into());
    };
    let path = Path::new(recipe);
    let recipe = Recipe::read(path)?;
    let pool = Pool::read(&recipe.pool, path.parent().unwrap_or(Path::new(".")))?;
    let maker = Maker {
        config: &recipe.examples,
        pool: &pool,
        profile: &recipe.profile,
        // Other than the run's own, so that what is printed was not trained on.
        seed: recipe.seed ^ 0x9E3779B9,
    };
    for index in 0..count.parse()? {
        let example = maker.example(0, index, progress.parse()?);
        let marks: Vec<_> = example
            .marks
            .iter()
            .map(|(range, kind)| serde_json::json!([range.start, range.end, kind]))
            .collect();
        let line = serde_json::json!({"messages": example.messages, "reply": example.reply, "marks": marks});
        println!("{line}");
    }
    Ok(())
}
