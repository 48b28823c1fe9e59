//! Reading apart: a judge that counts piece by piece takes one listwise request in three short steps.
//!
//! In one long reply a small model loses sight of what it read a thousand tokens ago. So it first says what the principle
//! asks for; then it reads every response by itself, all at once, under that plain wish; and last it concludes over all of
//! them from its own notes. Each step sees no more than it needs, so that its length does not grow with the number of
//! responses. Put together, the steps are the reply that the model would have written in one: the reasoning shows it all.
//!
//! Whatever a step repeats is [given](crate::Given) to it; where decoding is free, the conclusion is held to nothing behind it.
//! A backend that cannot hold a reply to a form judges in one.

use std::fmt::Write as _;

use crate::generate::{Completion, FinishReason, GenerateError, GenerateJob, Given, Message, VerdictForm};
use crate::mask::Mask;
use crate::pieces::{self, OPENING, TOTAL};
use crate::profile::{Decoding, Profile};
use crate::prompt::{chat, in_pieces};
use crate::request::JudgeRequest;

type Reply = Result<Completion, GenerateError>;

/// The chat of the first step: what does the principle ask for? No response is shown.
pub fn to_name(profile: &Profile, principle: &str, prompt: &str) -> Vec<Message> {
    chat(
        profile,
        in_pieces(principle, prompt, [], profile.piece_words.get()),
    )
}

/// The chat of the steps after it, in which the principle is what is `asked` for and nothing else: of the responses their
/// labels alone, since the reply is [given](crate::Given) the text. To read a text out that also stands in the prompt,
/// every word of it would seem to have been said before.
pub fn to_note(profile: &Profile, asked: &str, responses: usize) -> Vec<Message> {
    let mask = Mask::identity(responses);
    let labels = (0..responses).map(|position| (mask.label(position), None));
    chat(profile, in_pieces(asked, "", labels, profile.piece_words.get()))
}

/// What one sample of a request has come to before it is concluded.
struct Notes {
    asked: String,
    /// By response, in the caller's order.
    responses: Vec<Note>,
    prompt_tokens: usize,
    completion_tokens: usize,
    finish: FinishReason,
}

/// What was written about a response.
#[derive(Default)]
struct Note {
    /// What stands in the bracket behind each piece.
    pieces: Vec<String>,
    /// What stands behind [`TOTAL`], to the end of the line.
    total: String,
}

/// The requests of one call, with the orders in which each is judged.
pub(crate) struct Apart<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) requests: Vec<(&'a JudgeRequest, &'a [Mask])>,
    /// The settings of every sample of a request.
    pub(crate) samples: Vec<GenerateJob>,
    /// The most tokens of thinking.
    pub(crate) thinking_tokens: usize,
}

impl Apart<'_> {
    /// A reply for every request, order and sample, nested so; `generate` answers the jobs of a step.
    pub(crate) fn replies(&self, mut generate: impl FnMut(&[GenerateJob]) -> Vec<Reply>) -> Vec<Reply> {
        let notes = self.notes(&mut generate);
        let samples = self.samples.len();
        let runs = || {
            self.requests
                .iter()
                .enumerate()
                .flat_map(move |(at, (_, masks))| {
                    masks.iter().enumerate().flat_map(move |(order, mask)| {
                        (0..samples).map(move |sample| (at * samples + sample, order, mask))
                    })
                })
        };
        let jobs: Vec<GenerateJob> = runs()
            .filter_map(|(unit, _, mask)| {
                let notes = notes[unit].as_ref().ok()?;
                Some(self.concluding(notes, mask, unit % samples))
            })
            .collect();
        let mut concluded = generate(&jobs).into_iter();
        let requests = &self.requests;
        runs()
            .map(|(unit, order, mask)| {
                let notes = notes[unit].as_ref().map_err(Clone::clone)?;
                let reply = concluded.next().unwrap_or_else(|| Err(unanswered()))?;
                let request = requests[unit / samples].0;
                let mut whole = self.whole(request, mask, notes, reply)?;
                // The other orders share the notes.
                if order == 0 {
                    whole.prompt_tokens += notes.prompt_tokens;
                    whole.completion_tokens += notes.completion_tokens;
                }
                Ok(whole)
            })
            .collect()
    }

    /// The first two steps of every request and sample.
    fn notes(
        &self,
        generate: &mut impl FnMut(&[GenerateJob]) -> Vec<Reply>,
    ) -> Vec<Result<Notes, GenerateError>> {
        let units = || {
            let requests = self.requests.iter();
            requests.flat_map(|(request, _)| self.samples.iter().map(move |job| (*request, job)))
        };
        let jobs: Vec<GenerateJob> = units().map(|(request, job)| self.naming(request, job)).collect();
        let named = in_number(generate(&jobs), jobs.len());
        let mut notes: Vec<Result<Notes, GenerateError>> =
            named.into_iter().map(|reply| named_in(reply?)).collect();
        let reading: Vec<GenerateJob> = units()
            .zip(&notes)
            .filter_map(|((request, job), notes)| Some((request, job, notes.as_ref().ok()?)))
            .flat_map(|(request, job, notes)| {
                let responses = request.responses().iter();
                responses.map(|response| self.reading(&notes.asked, &response.text, job))
            })
            .collect();
        let mut read = generate(&reading).into_iter();
        for ((request, _), slot) in units().zip(&mut notes) {
            let Ok(notes) = slot else { continue };
            let replies: Vec<Reply> = request
                .responses()
                .iter()
                .map(|_| read.next().unwrap_or_else(|| Err(unanswered())))
                .collect();
            for (response, reply) in request.responses().iter().zip(replies) {
                let words = self.profile.piece_words.get();
                match reply.and_then(|reply| notes.take(&response.text, words, reply)) {
                    Ok(()) => {}
                    Err(error) => {
                        *slot = Err(of_response(error, &response.name));
                        break;
                    }
                }
            }
        }
        notes
    }

    fn naming(&self, request: &JudgeRequest, job: &GenerateJob) -> GenerateJob {
        let given = vec![Given::open(OPENING, "\n")];
        self.step(
            job,
            to_name(self.profile, request.principle(), request.prompt()),
            given,
        )
    }

    fn reading(&self, asked: &str, text: &str, job: &GenerateJob) -> GenerateJob {
        let mut given: Vec<Given> = steps(text, self.profile.piece_words.get())
            .map(|step| Given::open(step, "]"))
            .collect();
        given[0].text.insert_str(0, &format!("{OPENING}{asked}\n"));
        given.push(Given::open(TOTAL, "\n"));
        self.step(job, to_note(self.profile, asked.trim(), 1), given)
    }

    fn concluding(&self, notes: &Notes, mask: &Mask, sample: usize) -> GenerateJob {
        let messages = to_note(self.profile, notes.asked.trim(), mask.len());
        let summary = notes.summary(mask);
        if self.profile.decoding == Decoding::Free {
            return self.step(&self.samples[sample], messages, vec![Given::begun(summary)]);
        }
        let mut job = self.step(&self.samples[sample], messages, vec![Given::closed(summary)]);
        if let Some(form) = &mut job.form {
            form.labels = (0..mask.len()).map(|position| mask.label(position)).collect();
        }
        job
    }

    fn step(&self, job: &GenerateJob, messages: Vec<Message>, given: Vec<Given>) -> GenerateJob {
        GenerateJob {
            messages,
            form: Some(VerdictForm {
                given,
                labels: Vec::new(),
                thinking_tokens: self.thinking_tokens,
            }),
            ..job.clone()
        }
    }

    /// All steps as one reply; its tokens are those of the conclusion.
    fn whole(&self, request: &JudgeRequest, mask: &Mask, notes: &Notes, reply: Completion) -> Reply {
        let end = behind(&reply.text, &notes.summary(mask))?;
        let words = self.profile.piece_words.get();
        let mut text = format!("{OPENING}{}\n", notes.asked);
        for (position, &response) in mask.order().iter().enumerate() {
            let note = &notes.responses[response];
            let read = pieces::read_out(
                &mask.label(position),
                position,
                &request.responses()[response].text,
                words,
            );
            for (piece, amounts) in read.iter().zip(&note.pieces) {
                text.push_str(piece);
                text.push_str(amounts);
                text.push(']');
            }
            let _ = writeln!(text, "{TOTAL}{}", note.total);
        }
        text.push_str(end);
        Ok(Completion {
            text,
            finish: if notes.finish == FinishReason::Length {
                FinishReason::Length
            } else {
                reply.finish
            },
            ..reply
        })
    }
}

impl Notes {
    /// What the conclusion begins with.
    fn summary(&self, mask: &Mask) -> String {
        let mut text = format!("{OPENING}{}\n", self.asked);
        for (position, &response) in mask.order().iter().enumerate() {
            let total = &self.responses[response].total;
            let _ = writeln!(text, "{}:{TOTAL}{total}", mask.label(position));
        }
        text
    }

    /// Adds what was written about the next response.
    fn take(&mut self, text: &str, words: usize, reply: Completion) -> Result<(), GenerateError> {
        let mut note = Note::default();
        let mut rest = behind(&reply.text, &format!("{OPENING}{}\n", self.asked))?;
        for step in steps(text, words) {
            let (amounts, after) = split(behind(rest, &step)?, ']');
            note.pieces.push(amounts.to_owned());
            rest = after;
        }
        let (total, _) = split(behind(rest, TOTAL)?, '\n');
        note.total = total.to_owned();
        self.responses.push(note);
        self.prompt_tokens += reply.prompt_tokens;
        self.completion_tokens += reply.completion_tokens;
        if reply.finish == FinishReason::Length {
            self.finish = FinishReason::Length;
        }
        Ok(())
    }
}

fn named_in(reply: Completion) -> Result<Notes, GenerateError> {
    let (asked, _) = split(behind(&reply.text, OPENING)?, '\n');
    Ok(Notes {
        asked: asked.to_owned(),
        responses: Vec::new(),
        prompt_tokens: reply.prompt_tokens,
        completion_tokens: reply.completion_tokens,
        finish: reply.finish,
    })
}

/// A text alone as it is read out.
fn steps(text: &str, words: usize) -> impl Iterator<Item = String> {
    pieces::read_out(&Mask::identity(1).label(0), 0, text, words).into_iter()
}

/// All of it where the mark is missing: the reply then ended early.
fn split(text: &str, mark: char) -> (&str, &str) {
    text.split_once(mark).unwrap_or((text, ""))
}

fn behind<'t>(text: &'t str, given: &str) -> Result<&'t str, GenerateError> {
    text.strip_prefix(given).ok_or_else(|| {
        GenerateError::Backend(format!(
            "expected a reply that begins with {given:?}, got {text:?}"
        ))
    })
}

fn in_number(mut replies: Vec<Reply>, expected: usize) -> Vec<Reply> {
    replies.resize_with(expected, || Err(unanswered()));
    replies
}

/// Where what is too long is a response, the error names it.
fn of_response(error: GenerateError, name: &str) -> GenerateError {
    match error {
        GenerateError::PromptTooLong {
            prompt_tokens,
            max_new_tokens,
            context,
        } => GenerateError::ResponseTooLong {
            name: name.to_owned(),
            tokens: prompt_tokens + max_new_tokens,
            context,
        },
        other => other,
    }
}

fn unanswered() -> GenerateError {
    GenerateError::Backend("the backend answered fewer jobs than it was given".to_owned())
}

#[cfg(test)]
mod tests;
