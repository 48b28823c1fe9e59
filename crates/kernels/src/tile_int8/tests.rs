use rand::distr::{Distribution, StandardUniform};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

#[test]
fn blocks_are_rounded_to_the_nearest() {
    let mut values = [0f32; BLOCK];
    values[..5].copy_from_slice(&[127.0, -127.0, 2.5, 3.5, -0.4]);
    values[16] = 7.0;
    let block = Block::of(&values);
    assert_eq!((block.scale, block.sum), (1.0, 13.0));
    assert_eq!((block.offset, block.halves), (-128 * 13, [-16 * 6, -16 * 7]));
    assert_eq!(block.values[..6], [127, -127, 2, 4, 0, 0]);
    assert_eq!(Block::of(&[0.0; BLOCK]), Block::default());
    assert_eq!(Block::of(&[-3.0; BLOCK]).halves, [16 * 16 * 127; 2]);
    values[31] = f32::NAN;
    assert!(Block::of(&values).scale.is_nan());
    values[31] = f32::INFINITY;
    assert!(Block::of(&values).scale.is_nan());
}

/// Random blocks, the first of a row as large as can be.
fn left(rng: &mut ChaCha8Rng, m: usize, blocks: usize) -> Vec<Block> {
    let mut left: Vec<Block> = (0..m * blocks)
        .map(|_| Block::of(&std::array::from_fn(|_| rng.random_range(-3.0..3.0))))
        .collect();
    for row in left.chunks_mut(blocks) {
        row[0] = Block::of(&[if rng.random() { 3.0 } else { -3.0 }; BLOCK]);
    }
    left
}

/// Every set beside the twin, for any number of rows; of many, long ones are multiplied in strips.
fn check<W: BytePanel, const P: usize>(rng: &mut ChaCha8Rng, panels: [W; P], blocks: usize, what: &str) {
    for m in [1, 2, 3, 4, 5, 6, 7, 8, 15] {
        let left = left(rng, m, blocks);
        let stride = P * PANEL + 3;
        let run = |isa: Isa| {
            let mut out = vec![7.0; m * stride];
            let job = ByteJob {
                left: &left,
                blocks,
                panels,
                out: &mut out,
                stride,
            };
            rows_int8(isa, m, job);
            out
        };
        let exact = run(Isa::Portable);
        assert!(exact.iter().any(|&x| x != 7.0 && x != 0.0));
        for isa in [Isa::Avx2, Isa::Avx512Bf16] {
            if isa.is_available() {
                assert_eq!(
                    run(isa),
                    exact,
                    "{what} {}, {m} rows, {blocks} blocks, {P} panels",
                    isa.name()
                );
            }
        }
    }
}

/// Random numbers; the first block's are `extreme`, which is what sixteen bits hold least.
fn bytes<T: Copy>(rng: &mut ChaCha8Rng, count: usize, first: usize, extreme: T) -> Vec<T>
where
    StandardUniform: Distribution<T>,
{
    let mut bytes: Vec<T> = (0..count).map(|_| rng.random()).collect();
    bytes[..first].fill(extreme);
    bytes
}

fn scales(rng: &mut ChaCha8Rng, count: usize) -> Vec<u16> {
    (0..count)
        .map(|_| half::f16::from_f32(rng.random_range(-0.1..0.1)).to_bits())
        .collect()
}

#[test]
fn the_instruction_and_its_twin_give_the_same_bits() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (blocks, extreme) in [(1, i8::MIN), (3, i8::MAX), (19, i8::MIN)] {
        let own = [(); 2].map(|()| {
            let quants = bytes(&mut rng, blocks * BLOCK * PANEL, BLOCK * PANEL, extreme);
            (quants, scales(&mut rng, blocks * PANEL))
        });
        let panels = own.each_ref().map(|(quants, scales)| Q8Panel { quants, scales });
        check(&mut rng, panels, blocks, "Q8_0");
        check(&mut rng, [panels[1]], blocks, "Q8_0");
    }
}

#[test]
fn halves_of_bytes_with_minima_have_the_same_bits_too() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for (blocks, extreme) in [(8, u8::MAX), (16, 0), (24, u8::MAX)] {
        let own = [(); 2].map(|()| {
            let quants = bytes(&mut rng, blocks * BLOCK / 2 * PANEL, BLOCK / 2 * PANEL, extreme);
            let parts = [(); 2].map(|()| {
                let parts = bytes(&mut rng, blocks * PANEL, PANEL, extreme);
                parts.iter().map(|part| part & 63).collect::<Vec<u8>>()
            });
            (
                quants,
                parts,
                [(); 2].map(|()| scales(&mut rng, blocks / BLOCKS * PANEL)),
            )
        });
        let panels = own.each_ref().map(|(quants, parts, scales)| Q4Panel {
            quants,
            parts: &parts[0],
            minimum_parts: &parts[1],
            scales: &scales[0],
            minima: &scales[1],
        });
        check(&mut rng, panels, blocks, "Q4_K");
        check(&mut rng, [panels[1]], blocks, "Q4_K");
    }
}

#[test]
fn six_bits_have_the_same_bits_too() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for (blocks, extreme, part) in [(8, 63, i8::MIN), (16, 0, i8::MIN), (24, 63, i8::MAX)] {
        let own = [(); 2].map(|()| {
            let quants: Vec<u8> = bytes(&mut rng, blocks * BLOCK * PANEL, BLOCK * PANEL, extreme)
                .iter()
                .map(|quant| quant & 63)
                .collect();
            let parts: Vec<i8> = bytes(&mut rng, blocks * PANEL * 2, PANEL * 2, part);
            (quants, parts, scales(&mut rng, blocks / BLOCKS * PANEL))
        });
        let panels = own.each_ref().map(|(quants, parts, scales)| Q6Panel {
            quants,
            parts,
            scales,
        });
        check(&mut rng, panels, blocks, "Q6_K");
        check(&mut rng, [panels[1]], blocks, "Q6_K");
    }
}
