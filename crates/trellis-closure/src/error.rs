//! Why a store or a path in it cannot be read.

use std::io;
use std::path::PathBuf;

use nix_compat::store_path::StorePath;

trellis_core::explained! {
    /// Why a store, or a path in it, cannot be read.
    #[derive(Debug, thiserror::Error)]
    #[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
    pub enum ClosureError {
        #[error("there is no Nix store at `{}`", store.display())]
        StoreMissing { store: PathBuf } = "store_missing",
            "name the folder with `nix/store` with `--store`, or run this where Nix is installed";
        #[error("the Nix database `{}` cannot be read", path.display())]
        Database { path: PathBuf, #[source] source: rusqlite::Error } = "database",
            "make it readable for this user, or copy the store without its `var` to go by the files alone";
        #[error("the Nix database says of `{path}` in `{field}`: `{text}`, which cannot be read")]
        Row { path: String, field: &'static str, text: String } = "database_row",
            "run `nix-store --verify`; a newer Nix than this program knows may have written it";
        #[error("`{}` is not in the store", path.to_absolute_path())]
        NotInStore { path: StorePath<String> } = "not_in_store", "get it with `nix build` or `nix copy`";
        #[error("`{}` is not registered in the Nix database, whose newest changes could not be read", path.to_absolute_path())]
        NotInOldDatabase { path: StorePath<String> } = "not_in_old_database",
            "run this as root, or again after Nix has written its journal (`db.sqlite-wal`) into the database";
        #[error("`{}` is not a path of a Nix store", path.display())]
        NotAStorePath { path: PathBuf } = "not_a_store_path",
            "name a path below `/nix/store`, or a link to one such as `result`; another store directory is not supported";
        #[error("`{}` cannot be read", path.display())]
        Unreadable { path: PathBuf, #[source] source: io::Error } = "unreadable",
            "check that it exists and that this user may read it";
        #[error("`{}` changed while it was read", path.display())]
        Changed { path: PathBuf } = "changed",
            "find out what writes into the store, which nothing should, then run this again";
        #[error("`{}` is neither file nor folder nor symlink", path.display())]
        SpecialFile { path: PathBuf } = "special_file", "remove it: Nix never creates such a file";
        #[error("`{}` is nested more than {limit} folders deep", path.display())]
        TooDeep { path: PathBuf, limit: usize } = "too_deep", "check it: no package is nested that deep";
        #[error("`{}` is not a narinfo file: {reason}", path.display())]
        NarInfo { path: PathBuf, reason: String } = "narinfo", "copy it from the binary cache again";
        #[error("`{key}` is not a public key: {reason}")]
        Key { key: String, reason: String } = "key",
            "give it as `NAME:BASE64`, as `nix key convert-secret-to-public` prints it";
    }
}
