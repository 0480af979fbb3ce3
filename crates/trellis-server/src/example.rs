//! The commands that take a picture to a file with nothing but curl and a POSIX shell. What `trellis serve` prints
//! and the README show the same ones.

/// What the commands are made for.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Where the server is, `http://HOST:PORT`.
    pub address: &'a str,
    /// The Unix socket that it listens on, where it does; a plain path.
    pub socket: Option<&'a str>,
    /// The picture's path; plain characters, as nothing is quoted.
    pub picture: &'a str,
    /// The file to write; plain characters too.
    pub output: &'a str,
    /// The variable that holds the API key, where one is needed.
    pub key_variable: Option<&'a str>,
}

impl Example<'_> {
    /// Submits, follows the events (their stream ends with the job), fetches the result. Each step is only
    /// taken if the one before succeeded; where the server refuses, its reason is printed. curl 7.76 or newer.
    ///
    /// The last step takes `--fail`: with a body it would write the reason into the file.
    pub fn commands(&self) -> String {
        let Self {
            address,
            socket,
            picture,
            output,
            key_variable,
        } = self;
        let socket = socket.map_or(String::new(), |socket| format!(" --unix-socket {socket}"));
        let key = key_variable.map_or(String::new(), |variable| {
            format!(" -H \"Authorization: Bearer ${variable}\"")
        });
        let curl = format!("curl{socket}{key}");
        format!(
            "{curl} -sS --fail-with-body -w '\\n' -D job.txt -F image=@{picture} {address}/v1/jobs &&\n\
             job=$(sed -n 's/^[Ll]ocation: *\\([^[:space:]]*\\).*/\\1/p' job.txt) &&\n\
             {curl} -sSN --fail-with-body {address}$job/events &&\n\
             {curl} -sS --fail -o {output} {address}$job/artifacts/model.glb"
        )
    }
}
