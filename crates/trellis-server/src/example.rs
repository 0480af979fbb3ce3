//! The commands that take a picture to a file with nothing but curl and a POSIX shell. `/`, what `trellis serve`
//! prints, and the README show the same ones.

/// What the commands are made for.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Where the server is, `http://HOST:PORT`.
    pub address: &'a str,
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
            picture,
            output,
            key_variable,
        } = self;
        let curl = key_variable.map_or("curl".to_owned(), |variable| {
            format!("curl -H \"Authorization: Bearer ${variable}\"")
        });
        format!(
            "{curl} -sS --fail-with-body -w '\\n' -D job.txt -F image=@{picture} {address}/v1/jobs &&\n\
             job=$(sed -n 's/^[Ll]ocation: *\\([^[:space:]]*\\).*/\\1/p' job.txt) &&\n\
             {curl} -sSN --fail-with-body {address}$job/events &&\n\
             {curl} -sS --fail -o {output} {address}$job/artifacts/model.glb"
        )
    }
}
