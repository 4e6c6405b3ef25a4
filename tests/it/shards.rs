//! One fold by many processes.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Place, files_below, repository};

const CLOCK: [&str; 4] = ["report", "-q", "--generated-at", "2025-11-18T12:00:00Z"];

fn report(place: &Place, out: &str, inputs: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    place.run(&[&CLOCK[..], &["--out", out], inputs].concat()).expect(0);
    files_below(&place.path(out))
}

/// The log in several files: two plain ones, one of them large, one packed, one of another team's format.
fn logs(place: &Place) {
    place.generate("log.jsonl", "messy", 4000);
    // Some of them are no UTF-8.
    let text = std::fs::read(place.path("log.jsonl")).unwrap();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    std::fs::create_dir(place.path("logs")).unwrap();
    place.write("logs/a.jsonl", [&b"\xef\xbb\xbf"[..], &lines[..2500].join(&b"\r\n"[..])].concat());
    place.write("logs/b.jsonl", [&lines[2500..3000].join(&b'\n')[..], b"\n"].concat());
    place.write("logs/c.jsonl", lines[3000..3300].join(&b'\n'));
    let packed = std::fs::File::create(place.path("logs/d.jsonl.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed.write_all(&lines[3300..].join(&b'\n')).unwrap();
    packed.finish().unwrap();
}

fn parts_of(plan: &str) -> usize {
    serde_json::from_str::<serde_json::Value>(plan).unwrap()["parts"].as_array().unwrap().len()
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stagegate"))
        .args(arguments)
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a controller does: parts at once, some killed and tried again, some tried twice at the same time.
#[test]
fn killed_and_repeated_parts_give_the_report_of_one_machine() {
    let place = Place::new();
    logs(&place);
    let want = report(&place, "want", &["logs/*"]);
    place.run(&["plan", "logs/*", "--split", "150kB", "-o", "plan.json"]).expect(0);
    let parts = parts_of(&place.read("plan.json"));
    assert!(parts > 5, "{parts}");
    std::fs::create_dir(place.path("parts")).unwrap();
    let outputs: Vec<String> = (0..parts).map(|part| format!("parts/{part}.cube")).collect();
    let tries = |part: usize| -> Vec<Child> {
        let number = part.to_string();
        let arguments = ["cube", "-q", "--plan", "plan.json", "--part", &number, "-o", &outputs[part]];
        let mut twins = vec![start(&place, &arguments), start(&place, &arguments)];
        if part.is_multiple_of(2) {
            // It may have ended by then: all the same.
            std::thread::sleep(std::time::Duration::from_millis(3 * part as u64));
            twins[0].kill().unwrap();
        }
        twins
    };
    for pair in (0..parts).collect::<Vec<_>>().chunks(2) {
        let mut running: Vec<Child> = pair.iter().flat_map(|part| tries(*part)).collect();
        running.iter_mut().for_each(|child| {
            child.wait().unwrap();
        });
    }
    // The second round folds what is not there.
    for (part, output) in outputs.iter().enumerate() {
        let number = part.to_string();
        place.run(&["cube", "--plan", "plan.json", "--part", &number, "-o", output]).expect(0);
        let again = place.run(&["cube", "--plan", "plan.json", "--part", &number, "-o", output]).expect(0);
        assert_eq!(again.err, format!("{output} is there already\n"));
    }
    let all: Vec<&str> = outputs.iter().map(String::as_str).collect();
    place.run(&[&["cube", "--plan", "plan.json", "-o", "all.cube"][..], &all].concat()).expect(0);
    assert_eq!(report(&place, "from-merged", &["all.cube"]), want);
    // In a tree, the other way round, by one file each.
    let (left, right) = all.split_at(parts / 2);
    let right: Vec<&str> = right.iter().rev().copied().collect();
    place.run(&[&["cube", "-q", "-o", "left.cube.tar"][..], left].concat()).expect(0);
    place.run(&[&["cube", "-q", "-o", "right.cube.tar"][..], &right].concat()).expect(0);
    assert_eq!(report(&place, "from-tree", &["right.cube.tar", "left.cube.tar"]), want);
    // The cube itself but for what it says of its making.
    place.run(&["cube", "logs/*", "-o", "one.cube"]).expect(0);
    for (name, bytes) in files_below(&place.path("one.cube")) {
        if !name.ends_with("header.json") {
            assert!(std::fs::read(place.path("all.cube").join(&name)).unwrap() == bytes, "{}", name.display());
        }
    }
}

/// Lines of one file in ranges of odd sizes: one byte, within a line, on a line's last byte.
#[test]
fn ranges_of_odd_sizes_give_the_report_of_the_file() {
    let place = Place::new();
    place.generate("log.jsonl", "messy", 1500);
    let want = report(&place, "want", &["log.jsonl"]);
    let text = std::fs::read(place.path("log.jsonl")).unwrap();
    let size = text.len();
    let event = text.windows(13).position(|bytes| bytes == b"rollout_stage").unwrap();
    let line_end = text.iter().position(|byte| *byte == b'\n').unwrap();
    let mut at = vec![0, 1, 2, line_end, line_end + 1, line_end + 2, 1024, event, event + 1, size / 2, size - 1, size];
    at.sort_unstable();
    at.dedup();
    place.write("events.jsonl", place.run(&["timeline", "log.jsonl"]).expect(0).out);
    let mut cubes = Vec::new();
    for pair in at.windows(2) {
        let (range, cube) = (format!("{}-{}", pair[0], pair[1]), format!("{}.cube", pair[0]));
        let arguments = ["cube", "log.jsonl", "--range", &range, "--timeline", "events.jsonl", "-o", &cube];
        let told = place.run(&arguments).expect(0).err;
        assert!(told.contains("only a part of it was folded"), "{told}");
        cubes.push(cube);
    }
    let names: Vec<&str> = cubes.iter().map(String::as_str).collect();
    assert_eq!(report(&place, "merged", &names), want);
    // Every one is needed, and none may come twice or lie across others.
    let refused = |inputs: &[&str], message: &str| {
        let run = place.run(&[&["report", "--out", "none"][..], inputs].concat()).expect(2);
        assert!(run.err.contains(message), "{message}: {}", run.err);
        assert!(!place.path("none").exists());
    };
    refused(&names[1..], "only a part of it was folded: of");
    refused(&names[..1], "are missing");
    let across = format!("{}-{}", at[3] - 1, at[5]);
    place
        .run(&["cube", "-q", "log.jsonl", "--range", &across, "--timeline", "events.jsonl", "-o", "across.cube"])
        .expect(0);
    refused(&[&names[..], &["across.cube"]].concat(), "are in two of the inputs");
    place.run(&["cube", "-q", "log.jsonl", "-o", "whole.cube"]).expect(0);
    refused(&[names[3], "whole.cube"], "it is in two of the inputs, in one of them as a part");
    // The same name, a file that has grown: no part of the one that was.
    let grown = [&text[..], super::upload_line(5).as_bytes()].concat();
    place.write("log.jsonl", &grown);
    let last = format!("{}-{}", size - 1, grown.len());
    place
        .run(&["cube", "-q", "log.jsonl", "--range", &last, "--timeline", "events.jsonl", "-o", "grown.cube"])
        .expect(0);
    refused(&[&names[..names.len() - 1], &["grown.cube"]].concat(), "its parts are of two files");
    for bad in ["5-5", "7-3", "x", "1-999999999"] {
        place.run(&["cube", "log.jsonl", "--range", bad, "-o", "bad.cube"]).expect(2);
    }
    place.write("packed.jsonl.gz", [0x1f, 0x8b, 0, 0, 0]);
    let packed = place.run(&["cube", "packed.jsonl.gz", "--range", "1-3", "-o", "bad.cube"]).expect(2);
    assert!(packed.err.contains("cannot be read in ranges"), "{}", packed.err);
}

#[test]
fn what_is_not_the_plan_s_is_refused_by_number() {
    let place = Place::new();
    logs(&place);
    place.run(&["plan", "logs/*", "--split", "300kB", "-o", "plan.json"]).expect(0);
    let parts = parts_of(&place.read("plan.json"));
    let fold = |plan: &str, part: usize, output: &str| {
        place.run(&["cube", "-q", "--plan", plan, "--part", &part.to_string(), "-o", output])
    };
    let names: Vec<String> = (0..parts).map(|part| format!("{part}.cube")).collect();
    names.iter().enumerate().for_each(|(part, name)| drop(fold("plan.json", part, name).expect(0)));
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let merge = |inputs: &[&str]| place.run(&[&["cube", "--plan", "plan.json", "-o", "all.cube"][..], inputs].concat());
    let refused = |inputs: &[&str], message: &str| {
        let run = merge(inputs).expect(2);
        assert!(run.err.contains(message), "{message}: {}", run.err);
        assert!(!place.path("all.cube").exists());
    };
    refused(&all[1..], &format!("plan.json: part 0 of {parts} of the plan is not among the inputs"));
    place.run(&["cube", "-q", "0.cube", "1.cube", "-o", "both.cube"]).expect(0);
    refused(&[&all[..], &["both.cube"]].concat(), "parts 0, 1 of the plan are in two of the inputs");
    refused(&[], "no cube is given");
    refused(&["logs/b.jsonl"], "is a log: a plan's parts are merged as cubes");
    // A report of them says the same without the plan.
    let run = place.run(&[&["check"][..], &all[2..]].concat()).expect(2);
    assert!(run.err.contains(&format!("parts 0, 1 of {parts} of the plan are not there")), "{}", run.err);
    // By another plan, by none, by other rules.
    place.run(&["plan", "logs/*", "--split", "200kB", "-o", "other.json"]).expect(0);
    fold("other.json", 0, "stale.cube").expect(0);
    refused(&[&all[1..], &["stale.cube"]].concat(), "stale.cube: is not a part of this plan");
    place.run(&["cube", "-q", "logs/a.jsonl", "-o", "free.cube"]).expect(0);
    refused(&[&all[1..], &["free.cube"]].concat(), "free.cube: is not a part of this plan");
    place.write("size.toml", "[analysis]\nsize_bounds_mb = [5.0]\n");
    place.run(&["plan", "--config", "size.toml", "logs/*", "--split", "300kB", "-o", "size.json"]).expect(0);
    fold("size.json", 0, "size.cube").expect(0);
    refused(&["size.cube"], "size.cube: is not a part of this plan");
    // Damaged on its way.
    let header = place.read("1.cube/header.json");
    place.write("1.cube/header.json", header.replace("\"lines\": ", "\"lines\": 1"));
    refused(&all, "1.cube/header.json: cannot use: its content is not what its sha256 says");
    place.write("1.cube/header.json", header);
    // The plan itself, the numbers, the files.
    place.write("changed.json", place.read("plan.json").replace("\"bytes\":", "\"bytes\":1"));
    assert!(fold("changed.json", 0, "x.cube").expect(2).err.contains("its content is not what its id says"));
    assert!(fold("rollout.toml", 0, "x.cube").expect(2).err.contains("not a plan of a fold"));
    assert!(fold("plan.json", parts, "x.cube").expect(2).err.contains(&format!("the plan has no part {parts}")));
    let text = std::fs::read(place.path("logs/a.jsonl")).unwrap();
    place.write("logs/a.jsonl", &text[..1000]);
    assert!(fold("plan.json", 0, "x.cube").expect(2).err.contains("logs/a.jsonl: has 1000 bytes, where the plan has"));
    place.write("logs/a.jsonl", [b"x", &text[1..]].concat());
    assert!(fold("plan.json", 0, "x.cube").expect(2).err.contains("is not the file that was planned"));
    // What it grew by is not of this plan.
    place.write("logs/a.jsonl", [&text[..], b"\n", super::upload_line(1).as_bytes()].concat());
    fold("plan.json", 0, "grown.cube").expect(0);
    assert_eq!(
        std::fs::read(place.path("grown.cube/minutes.parquet")).unwrap(),
        std::fs::read(place.path("0.cube/minutes.parquet")).unwrap()
    );
    merge(&all).expect(0);
}

#[test]
fn an_array_of_jobs_takes_its_number_from_its_surroundings() {
    let place = Place::new();
    logs(&place);
    let want = report(&place, "want", &["logs/*"]);
    place.run(&["plan", "logs/*", "--split", "100kB", "-o", "plan.json"]).expect(0);
    let variables = ["JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID"];
    for (index, variable) in variables.into_iter().enumerate() {
        let (number, output) = (index.to_string(), format!("{index}.cube"));
        let arguments = ["cube", "-q", "--plan", "plan.json", "--shard", "auto/3", "-o", &output];
        place.run_with(&arguments, &[(variable, &number)]).expect(0);
    }
    place.run(&["cube", "-q", "--plan", "plan.json", "0.cube", "1.cube", "2.cube", "-o", "all.cube"]).expect(0);
    assert_eq!(report(&place, "out", &["all.cube"]), want);
    let nowhere = place.run(&["cube", "--plan", "plan.json", "--part", "auto", "-o", "x.cube"]).expect(2);
    assert!(nowhere.err.contains("auto: none of JOB_COMPLETION_INDEX"), "{}", nowhere.err);
    let arguments = ["cube", "--plan", "plan.json", "--shard", "auto/3", "-o", "x.cube"];
    let beyond = place.run_with(&arguments, &[("NOMAD_ALLOC_INDEX", "3")]).expect(2);
    assert!(beyond.err.contains("of 3 jobs none has the number 3"), "{}", beyond.err);
    // Elsewhere, where the files have another root.
    let elsewhere = Place::new();
    let root = place.path(".");
    let (plan, root) = (place.path("plan.json"), root.to_str().unwrap());
    let arguments = ["cube", "-q", "--plan", plan.to_str().unwrap(), "--part", "0", "-o", "0.cube"];
    assert!(elsewhere.run(&arguments).expect(2).err.contains("cannot read"));
    elsewhere.run(&[&arguments[..], &["--root", root]].concat()).expect(0);
}

/// Runs a command of a part with bytes as its standard input.
fn feed(place: &Place, arguments: &[&str], bytes: &[u8]) -> (i32, Vec<u8>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stagegate"))
        .args(arguments)
        .current_dir(place.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feeder = std::thread::spawn(move || {
        // It stops reading when it has enough.
        let _ = stdin.write_all(&bytes);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// Logs that lie in an object store: whoever can read them feeds each part.
#[test]
fn parts_are_fed_through_standard_input() {
    let place = Place::new();
    logs(&place);
    let names = ["logs/a.jsonl", "logs/b.jsonl", "logs/c.jsonl", "logs/d.jsonl.gz"];
    let want = report(&place, "want", &names);
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    let line = |name: &str| format!("{{\"name\": {name:?}, \"bytes\": {}}}\n", bytes(name).len());
    place.write("listing.jsonl", names.map(line).concat());
    let draft = place.run(&["plan", "--listing", "listing.jsonl", "--split", "200kB", "-o", "draft.json"]).expect(0);
    assert!(draft.err.contains("the stage events are not known"), "{}", draft.err);
    let plan: serde_json::Value = serde_json::from_str(&place.read("draft.json")).unwrap();
    let of_part = |part: &serde_json::Value| {
        let range = &part.as_array().unwrap()[0];
        let name = plan["files"][range[0].as_u64().unwrap() as usize]["name"].as_str().unwrap().to_owned();
        (bytes(&name), range[1].as_u64().unwrap().saturating_sub(1) as usize)
    };
    let parts = plan["parts"].as_array().unwrap();
    assert!(parts.len() > 5 && parts.iter().all(|part| part.as_array().unwrap().len() == 1));
    let mut events = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let (bytes, from) = of_part(part);
        let number = number.to_string();
        let (code, _, told) =
            feed(&place, &["cube", "--plan", "draft.json", "--part", &number, "-", "-o", "-"], &bytes[from..]);
        assert!(code == 2 && told.contains("does not know the stage events"), "{told}");
        let arguments = ["timeline", "--plan", "draft.json", "--part", &number, "-"];
        let (code, out, told) = feed(&place, &arguments, &bytes[from..]);
        assert_eq!(code, 0, "{told}");
        events.extend(out);
    }
    place.write("events.jsonl", events);
    let arguments =
        ["plan", "--listing", "listing.jsonl", "--timeline", "events.jsonl", "--split", "200kB", "-o", "plan.json"];
    place.run(&arguments).expect(0);
    let mut cubes = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let (bytes, from) = of_part(part);
        let (number, name) = (number.to_string(), format!("{number}.cube.tar"));
        let arguments = ["cube", "-q", "--plan", "plan.json", "--part", &number, "-", "-o", "-"];
        let (code, out, told) = feed(&place, &arguments, &bytes[from..]);
        assert_eq!(code, 0, "{told}");
        place.write(&name, out);
        cubes.push(name);
        // A feeder that dies leaves no cube.
        let short = &bytes[from..from + (bytes.len() - from).min(100)];
        let (code, out, told) = feed(&place, &arguments, short);
        assert!(code == 2 && out.is_empty() && told.contains("it ends after"), "{told}");
    }
    let inputs: Vec<&str> = cubes.iter().map(String::as_str).collect();
    place.run(&[&["cube", "-q", "--plan", "plan.json", "-o", "all.cube"][..], &inputs].concat()).expect(0);
    assert_eq!(report(&place, "out", &["all.cube"]), want);
    place.run(&["plan", "logs/b.jsonl", "logs/c.jsonl", "-o", "together.json"]).expect(0);
    let (code, _, told) = feed(&place, &["cube", "--plan", "together.json", "--part", "0", "-", "-o", "-"], b"");
    assert!(code == 2 && told.contains("standard input brings one file or range, not 2"), "{told}");
}

#[test]
fn a_stream_is_read_once_where_the_events_are_known() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 8000);
    let log = std::fs::read(place.path("log.jsonl")).unwrap();
    let want = report(&place, "want", &["log.jsonl"]);
    place.run(&["cube", "-q", "log.jsonl", "-o", "log.cube"]).expect(0);
    let size = log.len().to_string();
    let name = ["cube", "-", "--name", "log.jsonl", "--bytes", &size, "-o", "-"];
    // A cube knows the events of its log; so does the log, where they stand before what they place.
    for more in [&[][..], &["--timeline", "log.cube"]] {
        let (code, cube, told) = feed(&place, &[&name[..], more].concat(), &log);
        assert_eq!(code, 0, "{told}");
        let (code, _, told) = feed(&place, &[&CLOCK[..], &["--out", "out", "-"]].concat(), &cube);
        assert_eq!(code, 0, "{told}");
        assert_eq!(files_below(&place.path("out")), want);
    }
    let more = [&log[..], &log[..500]].concat();
    for (bytes, message) in [(&log[..log.len() - 1], "it ends after"), (&more[..], "it goes on behind")] {
        let (code, cube, told) = feed(&place, &name, bytes);
        assert!(code == 2 && cube.is_empty() && told.contains(message), "{told}");
    }
    // Events that stand behind what they place need a second reading.
    let (events, uploads): (Vec<&str>, Vec<&str>) =
        std::str::from_utf8(&log).unwrap().lines().partition(|line| line.contains("rollout_stage"));
    let turned = [uploads, events].concat().join("\n") + "\n";
    let (code, _, told) = feed(&place, &name, turned.as_bytes());
    assert!(code == 2 && told.contains("it cannot be read again"), "{told}");
    let (code, _, told) = feed(&place, &[&name[..], &["--timeline", "log.jsonl"]].concat(), turned.as_bytes());
    assert_eq!(code, 0, "{told}");
    // A file that knows no event is no timeline.
    place.write("silent.jsonl", super::upload_line(3));
    let silent = place.run(&["cube", "log.jsonl", "--timeline", "silent.jsonl", "-o", "x.cube"]).expect(2);
    assert!(silent.err.contains("silent.jsonl: no rollout_stage or rollback event"), "{}", silent.err);
}

/// A cube in one file is what a folder is, and no more than that.
#[test]
fn a_hostile_file_is_no_cube() {
    let place = Place::new();
    place.write("log.jsonl", super::upload_line(1));
    place.run(&["cube", "-q", "log.jsonl", "-o", "a.cube.tar"]).expect(0);
    place.run(&["cube", "-q", "log.jsonl", "-o", "b.cube.tar"]).expect(0);
    let bytes = std::fs::read(place.path("a.cube.tar")).unwrap();
    assert_eq!(bytes, std::fs::read(place.path("b.cube.tar")).unwrap());
    // Replaced, as a folder is; what is no cube is not.
    place.run(&["cube", "-q", "log.jsonl", "-o", "a.cube.tar"]).expect(0);
    place.write("mine.tar", "mine");
    assert!(place.run(&["cube", "log.jsonl", "-o", "mine.tar"]).expect(2).err.contains("not a cube"));
    for step in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut damaged = bytes.clone();
        damaged[step] ^= 0x41;
        place.write("damaged.cube.tar", &damaged);
        let run = place.run(&["check", "damaged.cube.tar"]);
        assert!(run.code == 2 || run.out == place.run(&["check", "a.cube.tar"]).out, "{step}: {}", run.out);
        place.write("short.cube.tar", &bytes[..step]);
        assert_eq!(place.run(&["check", "short.cube.tar"]).code, 2, "{step}");
    }
}

/// A log without events: who searched has an empty list, and `[[starts]]` of the config hold where a log says otherwise.
#[test]
fn what_was_searched_and_not_found_is_known() {
    let place = Place::new();
    let starts = |percentage: u32| format!("[[starts]]\nat = 2025-11-12T08:00:10Z\npercentage = {percentage}\n");
    let lines = |from: u32| (from..from + 40).map(|second| super::upload_line(second) + "\n").collect::<String>();
    let event = "{\"event_type\": \"rollout_stage\", \"timestamp\": \"2025-11-12T08:00:10Z\", \"percentage\": 50}\n";
    for events in ["", event] {
        place.write("rollout.toml", starts(1));
        place.write("log.jsonl", lines(0) + events + &lines(40));
        let want = report(&place, "want", &["log.jsonl"]);
        let found = place.run(&["timeline", "log.jsonl"]).expect(0).out;
        assert_eq!(found.is_empty(), events.is_empty());
        place.write("events.jsonl", found);
        let size = place.read("log.jsonl").len();
        place.write("listing.jsonl", format!("{{\"name\": \"log.jsonl\", \"bytes\": {size}}}\n"));
        let arguments =
            ["plan", "--listing", "listing.jsonl", "--timeline", "events.jsonl", "--split", "5kB", "-o", "plan.json"];
        place.run(&arguments).expect(0);
        let parts = parts_of(&place.read("plan.json"));
        assert!(parts > 2, "{parts}");
        for part in 0..parts {
            let (part, output) = (part.to_string(), format!("{part}.cube"));
            place.run(&["cube", "-q", "--plan", "plan.json", "--part", &part, "-o", &output]).expect(0);
        }
        place.run(&["cube", "-q", "--plan", "plan.json", "*.cube", "-o", "all.tar"]).expect(0);
        assert_eq!(report(&place, "out", &["all.tar"]), want, "{events:?}");
        (0..parts).for_each(|part| std::fs::remove_dir_all(place.path(&format!("{part}.cube"))).unwrap());
    }
}

/// The arguments of a Kubernetes manifest.
fn manifest(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository("integrations/kubernetes").join(name)).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("args: [")).unwrap();
    line.trim_end_matches(']').split(", ").map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// The commands of the manifests, as the pods run them.
#[test]
fn the_manifests_fold_a_log() {
    let place = Place::new();
    logs(&place);
    std::fs::copy(place.path("rollout.toml"), place.path("logs/rollout.toml")).unwrap();
    let run = |name: &str, index: usize| {
        let index = index.to_string();
        let arguments: Vec<String> =
            manifest(name).iter().map(|word| word.replace("$(JOB_COMPLETION_INDEX)", &index)).collect();
        let done = Command::new(env!("CARGO_BIN_EXE_stagegate"))
            .args(arguments)
            .env("JOB_COMPLETION_INDEX", &index)
            .current_dir(place.path("logs"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run("plan.yaml", 0);
    (0..16).for_each(|index| run("fold.yaml", index));
    run("merge.yaml", 0);
    // The pods see other names: those of their folder.
    let inside = place.run(&["check", "--format", "json", "logs/all.cube"]);
    assert_eq!(inside.out, place.run(&["check", "--format", "json", "logs/*.jsonl*"]).out);
}
