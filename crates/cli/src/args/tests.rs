//! What command lines are taken, and which are not.

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn one_request_and_a_file_of_them_do_not_mix() {
    let check = |line: &str, fine: bool| {
        let parsed = Cli::try_parse_from(line.split(' '));
        assert_eq!(
            parsed.is_ok(),
            fine,
            "{line}: {:?}",
            parsed.err().map(|error| error.to_string())
        );
    };
    check(
        "rewardanything judge --principle p --prompt q --response a=x",
        true,
    );
    check("rewardanything judge --principle p --prompt q", false);
    check(
        "rewardanything judge --principle p --prompt q --response nameless",
        false,
    );
    check("rewardanything judge --input i --output o", true);
    check("rewardanything judge --input i", false);
    check("rewardanything judge --output o", false);
    check("rewardanything judge --input i --output o --principle p", false);
    check("rewardanything judge --input i --output o --json", false);
    check(
        "rewardanything judge --principle p --prompt q --response a=x --resume",
        false,
    );
    check("rewardanything judge --input i --output o --batch 0", false);
    check(
        "rewardanything judge --input i --output o --resume --retry-failed",
        true,
    );
}
