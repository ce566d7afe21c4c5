//! A server that takes requests over one FIFO and answers each client over the client's own: the pattern for which a server keeps
//! its own FIFO open for writing as well, and opens those of clients without waiting.

use conformance::prelude::*;

use super::fixture::Named;

/// Requests served, and answers for which nobody was there any more.
type Served = (u32, u32);

/// The number that asks the server to stop.
const STOP: u8 = 0;

fn answers_of(requests: &Named, client: u8) -> PathBuf {
    requests.beside(&format!("client-{client}"))
}

/// Serves until it is asked to stop: a request is the client's number and a byte, the answer the byte's complement.
fn serve(requests: &Named, link: &Link) -> Result<Served, Errno> {
    signal::ignore(Signal::SIGPIPE)?;
    let input = open(requests.path(), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let _keeps_end_of_file_away = open(requests.path(), OFlag::O_WRONLY)?;
    set_nonblocking(&input, false)?;
    link.reached("serving");
    let (mut served, mut lost) = (0, 0);
    loop {
        match read_exactly(&input, 2)?[..] {
            [STOP, _] => return Ok((served, lost)),
            [client, byte] => {
                let output = open(&answers_of(requests, client), OFlag::O_WRONLY | OFlag::O_NONBLOCK);
                match output.and_then(|output| write(&output, &[!byte])) {
                    Ok(_) => served += 1,
                    Err(ENXIO | EPIPE) => lost += 1,
                    Err(other) => return Err(other),
                }
            }
            _ => return Err(EIO),
        }
    }
}

fn start(requests: &Named) -> Result<Participant<Result<Served, Errno>>, Failure> {
    let server = Participant::spawn("server", (), |(), link| serve(requests, link))?;
    server.until_reached("serving")?;
    Ok(server)
}

/// Sends a request and waits for the answer: a FIFO of its own, its reading end there before the request is sent.
fn ask(requests: &Named, client: u8, byte: u8) -> Result<u8, Errno> {
    let path = answers_of(requests, client);
    mkfifo(&path, 0o600)?;
    let input = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    // Its own writing end, so that it waits for the answer and not for end-of-file.
    let _own = open(&path, OFlag::O_WRONLY)?;
    set_nonblocking(&input, false)?;
    write_all(requests.writer()?, &[client, byte])?;
    let answer = read_exactly(&input, 1)?[0];
    unlink(&path)?;
    Ok(answer)
}

fn stop(requests: &Named) -> Result<(), Errno> {
    write_all(requests.writer()?, &[STOP, 0])
}

/// The server waits between clients, as its own writing end keeps end-of-file away when a client has gone.
#[conformance::test(posix = "open", posix = "read")]
fn waits_between_clients() -> Outcome {
    let requests = Named::new()?;
    let server = start(&requests)?;
    for client in 1..=3 {
        server.until_blocked()?;
        expect_eq!(ask(&requests, client, 0x0f), Ok(0xf0));
    }
    server.until_blocked()?;
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((3, 0)));
    Ok(())
}

/// A client that is gone when its answer comes costs the server an error and nothing else.
#[conformance::test(posix = "open", posix = "write")]
fn outlives_a_client_that_does_not_wait() -> Outcome {
    let requests = Named::new()?;
    mkfifo(&answers_of(&requests, 9), 0o600)?;
    let server = start(&requests)?;
    write_all(requests.writer()?, &[9, 1])?;
    expect_eq!(ask(&requests, 1, 0x55), Ok(0xaa));
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((1, 1)));
    Ok(())
}

/// A client that is killed while it waits for its answer is as good as gone, and others are served.
#[conformance::test(posix = "open", posix = "_Exit")]
fn outlives_a_client_that_is_killed() -> Outcome {
    let requests = Named::new()?;
    let server = start(&requests)?;
    // Stopped, the server does not answer before the client is dead.
    server.until_blocked()?;
    server.stop()?;
    let victim = Participant::spawn("victim", (), |(), _| ask(&requests, 9, 1))?;
    victim.until_blocked()?;
    victim.kill()?;
    server.resume()?;
    expect_eq!(ask(&requests, 1, 0x55), Ok(0xaa));
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((1, 1)));
    Ok(())
}

/// Clients that come at the same time get each its own answers.
#[conformance::test(posix = "open", posix = "write")]
fn answers_each_of_several_clients() -> Outcome {
    let requests = Named::new()?;
    let server = start(&requests)?;
    let mut clients = Vec::new();
    for id in 1..=4_u8 {
        clients.push(Participant::spawn(&format!("client {id}"), (), |(), _| {
            (0..5).map(|round| ask(&requests, id, id * 16 + round)).collect::<Result<Vec<u8>, Errno>>()
        })?);
    }
    for (id, client) in (1..=4_u8).zip(clients) {
        expect_eq!(client.join()?, Ok((0..5).map(|round| !(id * 16 + round)).collect::<Vec<u8>>()));
    }
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((20, 0)));
    Ok(())
}

/// A server that is killed leaves clients with an error at once, and not waiting; one that takes its place serves them.
#[conformance::test(posix = "open")]
fn can_be_replaced_when_killed() -> Outcome {
    let requests = Named::new()?;
    let server = start(&requests)?;
    server.kill()?;
    expect_eq!(requests.writer().map(drop), Err(ENXIO));
    let server = start(&requests)?;
    expect_eq!(ask(&requests, 1, 0x55), Ok(0xaa));
    stop(&requests)?;
    expect_eq!(server.join()?, Ok((1, 0)));
    Ok(())
}
