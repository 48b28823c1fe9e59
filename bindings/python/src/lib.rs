//! The judge as a Python package: what crosses the border between the two languages, and nothing else.
//!
//! Names, defaults and documentation are Python's own (`python/rewardanything`); here are the engine, rewards and
//! metrics as plain values. Judging lets other Python threads run, and can be interrupted.

mod judging;
mod measures;
mod texts;
mod values;

use pyo3::prelude::*;

/// `rewardanything._rewardanything`; `_rewardanything.pyi` has the signatures.
#[pymodule]
fn _rewardanything(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("SYSTEM_PROMPT", rewardanything_core::SYSTEM_PROMPT.trim_end())?;
    module.add("NANO", rewardanything_models::NANO)?;
    module.add("MAX_RESPONSES", rewardanything_core::MAX_RESPONSES)?;
    module.add_class::<judging::Engine>()?;
    for function in [
        wrap_pyfunction!(judging::parse_reply, module)?,
        wrap_pyfunction!(judging::published_order, module)?,
        wrap_pyfunction!(measures::plan, module)?,
        wrap_pyfunction!(measures::merge, module)?,
        wrap_pyfunction!(measures::reward, module)?,
        wrap_pyfunction!(measures::pairwise, module)?,
        wrap_pyfunction!(measures::kendall_tau_b, module)?,
        wrap_pyfunction!(measures::ndcg, module)?,
        wrap_pyfunction!(measures::score_variance, module)?,
        wrap_pyfunction!(measures::bootstrap_interval, module)?,
        wrap_pyfunction!(texts::conversation, module)?,
        wrap_pyfunction!(texts::prompt_of, module)?,
        wrap_pyfunction!(texts::response_of, module)?,
        wrap_pyfunction!(texts::without_end, module)?,
    ] {
        module.add_function(function)?;
    }
    Ok(())
}
