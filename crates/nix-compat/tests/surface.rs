//! Names what is used of this crate, each with its full type, and does nothing else: function pointers for
//! functions, patterns without `..` for structs and enums. With snix's crate of the same name in this one's place it
//! compiles unchanged (where a type's private fields allow it, what is listed is all there is).

#![allow(clippy::type_complexity, reason = "the types are the point")]

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::str::FromStr;

use data_encoding::DecodeError;
use ed25519::SignatureBytes;
use nix_compat::{nar, narinfo, nixbase32, nixhash, store_path};

fn is_value<T: Clone + Debug + Eq>() {}
fn is_copy<T: Copy>() {}
fn is_shown<T: Display>() {}
fn is_ordered<T: Ord>() {}
fn is_hashed<T: Hash>() {}
/// Takes the name of a field.
fn field(name: &'static str) -> usize {
    name.len()
}

fn is_error<T: std::error::Error>() {}

#[test]
fn nixbase32_names() {
    let _: fn(&[u8]) -> String = nixbase32::encode;
    let _: fn(&'static str) -> Result<Vec<u8>, DecodeError> = nixbase32::decode;
    let _: fn(Vec<u8>) -> Result<Vec<u8>, DecodeError> = nixbase32::decode;
    let _: fn(&str) -> Result<[u8; 20], DecodeError> = |text| nixbase32::decode_fixed(text);
    const { assert!(nixbase32::decode_len(32) == 20) };
    const { assert!(nixbase32::encode_len(20) == 32) };
}

#[test]
fn nixhash_names() {
    use nixhash::{CAHash, CAHashMode, Error, HashAlgo, NixHash};

    is_copy::<HashAlgo>();
    is_shown::<HashAlgo>();
    let _: fn(&str) -> Result<HashAlgo, <HashAlgo as FromStr>::Err> = HashAlgo::from_str;
    let _: fn(&'static str) -> Result<HashAlgo, <HashAlgo as TryFrom<&'static str>>::Error> =
        HashAlgo::try_from;
    const { assert!(HashAlgo::Sha256.digest_length() == 32) };
    let _ = |algo: HashAlgo| match algo {
        HashAlgo::Md5 | HashAlgo::Sha1 | HashAlgo::Sha256 | HashAlgo::Sha512 => {}
    };

    is_value::<NixHash>();
    is_ordered::<NixHash>();
    is_shown::<NixHash>();
    let _ = |hash: NixHash| match hash {
        NixHash::Md5(digest) => digest.len(),
        NixHash::Sha1(digest) => digest.len(),
        NixHash::Sha256(digest) => digest.len(),
        NixHash::Sha512(digest) => digest.len(),
    };
    let _: fn([u8; 16]) -> NixHash = NixHash::Md5;
    let _: fn([u8; 20]) -> NixHash = NixHash::Sha1;
    let _: fn([u8; 32]) -> NixHash = NixHash::Sha256;
    let _: fn(Box<[u8; 64]>) -> NixHash = NixHash::Sha512;
    let _: fn(&NixHash) -> HashAlgo = NixHash::algo;
    let _: fn(&NixHash) -> &[u8] = NixHash::digest_as_bytes;
    let _: fn(HashAlgo, &[u8]) -> Result<NixHash, Error> = NixHash::from_algo_and_digest;
    let _: fn(&str) -> Option<NixHash> = NixHash::from_nix_nixbase32;
    let _: fn(&NixHash) -> String = NixHash::to_nix_nixbase32;
    let _: fn(&str) -> Result<NixHash, Error> = NixHash::from_sri;
    let _: fn(&NixHash, &mut String) -> std::fmt::Result = |hash, text| hash.write_sri_str(text);
    let _: fn(&NixHash) -> String = NixHash::to_sri_string;
    let _: fn(&NixHash) -> String = NixHash::to_nix_lowerhex_string;
    let _: fn(&str, Option<HashAlgo>) -> Result<NixHash, Error> = NixHash::from_str;

    is_value::<CAHash>();
    is_copy::<CAHashMode>();
    let _: fn(NixHash) -> CAHash = CAHash::Flat;
    let _: fn(NixHash) -> CAHash = CAHash::Nar;
    let _: fn([u8; 32]) -> CAHash = CAHash::Text;
    let _ = |hash: CAHash| match hash {
        CAHash::Flat(_) | CAHash::Nar(_) | CAHash::Text(_) => {}
    };
    let _ = |mode: CAHashMode| match mode {
        CAHashMode::Flat | CAHashMode::Nar | CAHashMode::Text => {}
    };
    let _: for<'a> fn(&'a CAHash) -> Cow<'a, NixHash> = CAHash::hash;
    let _: fn(&CAHash) -> CAHashMode = CAHash::mode;
    let _: fn(&str) -> Option<CAHash> = CAHash::from_nix_hex_str;
    let _: fn(&CAHash) -> String = CAHash::to_nix_nixbase32_string;

    is_error::<Error>();
    let _: fn(HashAlgo) -> Error = Error::InvalidDigestLength;
    let _: fn(DecodeError) -> Error = Error::InvalidBase16Encoding;
    let _: fn(HashAlgo, HashAlgo) -> Error = Error::ConflictingHashAlgos;
    let _: fn(String) -> Error = Error::MissingInlineHashAlgo;
    let _ = |error: Error| match error {
        Error::InvalidAlgo | Error::InvalidSRI => None,
        Error::InvalidDigestLength(algo) | Error::ConflictingHashAlgos(algo, _) => Some(algo.to_string()),
        Error::InvalidBase16Encoding(error)
        | Error::InvalidBase32Encoding(error)
        | Error::InvalidBase64Encoding(error) => Some(DecodeError::to_string(&error)),
        Error::MissingInlineHashAlgo(text) => Some::<String>(text),
    };
}

#[cfg(feature = "serde")]
#[test]
fn serde_names() {
    use serde::Serialize;
    use serde::de::{Deserialize, DeserializeOwned};

    fn both_ways<T: Serialize + DeserializeOwned>() {}
    fn borrowed<'de, T: Serialize + Deserialize<'de>>() {}
    type In<'a> = &'a mut serde_json::Deserializer<serde_json::de::StrRead<'a>>;
    type Read = fn(In<'_>) -> Result<[u8; 32], serde_json::Error>;
    type Out<'a> = &'a mut serde_json::Serializer<Vec<u8>>;

    let _: Read = |from| nixhash::serde::from_nix_nixbase32_or_sri(from);
    let _: Read = |from| nixhash::serde::from_sri(from);
    let _: Read = |from| nixhash::serde::from_nix_nixbase32(from);
    let _: fn(&[u8; 32], Out<'_>) -> Result<(), serde_json::Error> =
        |d, to| nixhash::serde::to_nix_nixbase32(d, to);
    let _: [&str; 4] = nixhash::SUPPORTED_ALGOS;
    both_ways::<nixhash::NixHash>();
    both_ways::<nixhash::HashAlgo>();
    both_ways::<nixhash::CAHash>();
    both_ways::<store_path::StorePath<String>>();
    borrowed::<store_path::StorePathRef<'_>>();
    borrowed::<narinfo::SignatureRef<'_>>();
}

#[test]
fn store_path_names() {
    use store_path::{BuildStorePathError, Error, StorePath, StorePathRef};
    type Owned = StorePath<String>;

    const { assert!(store_path::DIGEST_SIZE == 20 && store_path::ENCODED_DIGEST_SIZE == 32) };
    let _: [&str; 2] = [store_path::STORE_DIR, store_path::STORE_DIR_WITH_SLASH];
    is_value::<Owned>();
    is_ordered::<Owned>();
    is_hashed::<Owned>();
    is_shown::<StorePathRef<'_>>();
    let _: fn(&Owned) -> &[u8; 20] = Owned::digest;
    let _: fn(&Owned) -> &String = Owned::name;
    let _: for<'a> fn(&'a Owned) -> StorePathRef<'a> = Owned::as_ref;
    let _: fn(&StorePathRef<'static>) -> Owned = StorePathRef::to_owned;
    let _: fn(&'static [u8]) -> Result<StorePathRef<'static>, Error> = StorePathRef::from_bytes;
    let _: fn(&str, &[u8]) -> Result<Owned, Error> = |name, digest| Owned::from_name_and_digest(name, digest);
    let _: fn(&str, [u8; 20]) -> Result<Owned, Error> =
        |name, digest| Owned::from_name_and_digest_fixed(name, digest);
    let _: for<'a> fn(&'a [u8]) -> Result<StorePathRef<'a>, Error> =
        |path| StorePathRef::from_absolute_path(path);
    let _: for<'a> fn(&'a Path) -> Result<(Owned, &'a Path), Error> =
        |path| Owned::from_absolute_path_full(path);
    let _: fn(&Owned) -> String = Owned::to_absolute_path;
    let _: fn(&str) -> Result<Owned, Error> = Owned::from_str;

    is_error::<Error>();
    let _: fn(Vec<u8>, u8) -> Error = Error::InvalidName;
    let _ = |error: Error| match error {
        Error::MissingDash | Error::InvalidLength | Error::InvalidName(_, _) | Error::MissingStoreDir => None,
        Error::InvalidHashEncoding(error) => Some::<DecodeError>(error),
    };
    let _: bool = Error::MissingDash == Error::InvalidLength;
    is_error::<BuildStorePathError>();
    let _ = |error: BuildStorePathError| match error {
        BuildStorePathError::InvalidStorePath(error) => Some::<Error>(error),
        BuildStorePathError::InvalidReference() => None,
    };

    let _: fn(&[u8]) -> [u8; 20] = store_path::compress_hash::<20>;
    let _: fn(&'static str, Vec<u8>, [String; 2]) -> Result<Owned, BuildStorePathError> =
        store_path::build_text_path;
    let _: fn(
        &'static str,
        &nixhash::CAHash,
        Vec<String>,
        bool,
    ) -> Result<StorePathRef<'static>, BuildStorePathError> = store_path::build_ca_path;
    let _: fn(&[u8; 32], &str, &'static str) -> Result<Owned, Error> = store_path::build_output_path;
    let _: fn(&str) -> String = store_path::hash_placeholder;
}

#[test]
fn nar_reader_names() {
    use nar::reader::{self, DirReader, Entry, FileReader, Node, Reader};

    fn reads<T: Read>() {}
    fn input<'a>(reader: &'a mut (dyn BufRead + Send + 'a)) -> &'a mut Reader<'a> {
        reader
    }
    let _ = input;
    let _: for<'a, 'r> fn(&'a mut Reader<'r>) -> io::Result<Node<'a, 'r>> = |from| reader::open(from);
    let _ = |node: Node<'_, '_>| match node {
        Node::Symlink { target } => assert!(!Vec::<u8>::is_empty(&target)),
        Node::File { executable, reader } => assert!(executable || FileReader::is_empty(&reader)),
        Node::Directory(directory) => drop::<DirReader<'_, '_>>(directory),
    };
    reads::<FileReader<'_, '_>>();
    let _: fn(&FileReader<'_, '_>) -> bool = |file| file.is_empty();
    let _: fn(&FileReader<'_, '_>) -> u64 = |file| file.len();
    let _: for<'a> fn(&'a mut FileReader<'_, '_>) -> io::Result<&'a [u8]> = |file| file.fill_buf();
    let _: fn(&mut FileReader<'_, '_>, usize) -> io::Result<()> = |file, n| file.consume(n);
    let _: fn(&mut FileReader<'_, '_>, &mut Vec<u8>) -> io::Result<()> = |file, to| file.copy(to);
    let _: for<'a, 'b, 'r> fn(&'a mut DirReader<'b, 'r>) -> io::Result<Option<Entry<'a, 'r>>> =
        |dir| dir.next();
    let _ = |entry: Entry<'_, '_>| {
        let Entry { name, node } = entry;
        drop::<Node<'_, '_>>(node);
        name.len()
    };
    let _: fn(&mut Reader<'_>, &mut Vec<u8>) -> io::Result<()> = |from, to| nar::copy(from, to);
}

#[test]
fn nar_writer_names() {
    use nar::writer::{self, Directory, FileManualWrite, Node};
    type W = Vec<u8>;

    let _: for<'a> fn(&'a mut W) -> io::Result<Node<'a, W>> = |to| writer::open(to);
    let _: for<'a> fn(&'a mut W) -> io::Result<Node<'a, W>> = |to| writer::sync::open(to);
    let _: fn(Node<'_, W>, &[u8]) -> io::Result<()> = |node, target| node.symlink(target);
    let _: fn(Node<'_, W>, bool, u64, &mut dyn BufRead) -> io::Result<()> =
        |node, x, size, from| node.file(x, size, from);
    let _: for<'a> fn(Node<'a, W>, bool, u64) -> io::Result<(&'a mut W, FileManualWrite)> =
        |node, executable, size| node.file_manual_write(executable, size);
    let _: fn(FileManualWrite, &mut W) -> io::Result<()> = |file, to| file.close(to);
    let _: for<'a> fn(Node<'a, W>) -> io::Result<Directory<'a, W>> = |node| node.directory();
    let _: for<'a> fn(&'a mut Directory<'_, W>, &[u8]) -> io::Result<Node<'a, W>> =
        |dir, name| dir.entry(name);
    let _: fn(Directory<'_, W>) -> io::Result<()> = |dir| dir.close();
}

#[test]
fn narinfo_names() {
    use narinfo::{Error, Flags, NarInfo, SignatureError};
    use nixhash::CAHash;
    use store_path::StorePathRef;

    fn is_printed<T: Debug + Display>() {}
    is_printed::<NarInfo<'_>>();
    let _: for<'a> fn(&'a str) -> Result<NarInfo<'a>, Error> = |text| NarInfo::parse(text);
    let _: fn(&NarInfo<'_>) -> String = |info| info.fingerprint();
    let _: for<'a> fn(&mut NarInfo<'a>, &'a narinfo::SigningKey<ed25519_dalek::SigningKey>) =
        |info, key| info.add_signature(key);
    let _ = |info: NarInfo<'static>| {
        let NarInfo {
            flags,
            store_path,
            nar_hash,
            nar_size,
            references,
            signatures,
            ..
        } = &info;
        let _: (&Flags, &StorePathRef<'_>, &[u8; 32], &u64) = (flags, store_path, nar_hash, nar_size);
        let _: (&Vec<StorePathRef<'_>>, &Vec<narinfo::SignatureRef<'_>>) = (references, signatures);
        // All of them: this would not compile without one.
        let NarInfo {
            flags: _,
            store_path: _,
            nar_hash: _,
            nar_size: _,
            references: _,
            signatures: _,
            ca,
            system,
            deriver,
            url,
            compression,
            file_hash,
            file_size,
        } = info;
        let _: (Option<CAHash>, Option<StorePathRef<'_>>) = (ca, deriver);
        let _: (&str, Option<&str>, Option<&str>) = (url, compression, system);
        let _: (Option<[u8; 32]>, Option<u64>) = (file_hash, file_size);
    };
    let bits = [
        Flags::UNKNOWN_FIELD,
        Flags::COMPRESSION_DEFAULT,
        Flags::REFERENCES_OUT_OF_ORDER,
        Flags::NAR_HASH_HEX,
        Flags::EXPLICIT_UNKNOWN_DERIVER,
        Flags::REFERENCES_MISSING,
    ];
    assert_eq!(bits.map(|flag| flag.bits()), [1_u8, 2, 4, 8, 16, 32]);
    let _: fn(&StorePathRef<'_>, &[u8; 32], u64, std::slice::Iter<'static, StorePathRef<'static>>) -> String =
        |path, digest, size, references| narinfo::fingerprint(path, digest, size, references);

    is_error::<Error>();
    let _ = |error: Error| match error {
        Error::DuplicateField(name)
        | Error::MissingField(name)
        | Error::EmptyField(name)
        | Error::MissingPrefixForHash(name) => field(name),
        Error::InvalidLine(line) | Error::UnableToParseCA(line) => String::len(&line),
        Error::UnableToParseSize(name, text) => field(name) + String::len(&text),
        Error::InvalidStorePath(error) | Error::InvalidDeriverStorePath(error) => {
            drop::<store_path::Error>(error);
            0
        }
        Error::InvalidReference(position, error) => {
            drop::<store_path::Error>(error);
            position
        }
        Error::InvalidDeriverStorePathMissingSuffix => 0,
        Error::UnableToDecodeHash(name, DecodeError { position, kind: _ }) => position + field(name),
        Error::UnableToParseSignature(position, error) => {
            drop::<SignatureError>(error);
            position
        }
    };
}

#[test]
fn key_and_signature_names() {
    use ed25519_dalek::SignatureError as DalekError;
    use narinfo::{
        Signature, SignatureError, SignatureRef, SigningKey, SigningKeyError, VerifyingKey, VerifyingKeyError,
    };
    type Owned = Signature<String>;
    type Secret = SigningKey<ed25519_dalek::SigningKey>;

    is_value::<Owned>();
    is_hashed::<Owned>();
    is_shown::<SignatureRef<'_>>();
    let _: fn(String, SignatureBytes) -> Owned = Owned::new;
    let _: fn(String, [u8; 64]) -> Owned = Owned::new;
    let _: for<'a> fn(&'a str) -> Result<SignatureRef<'a>, SignatureError> = |text| SignatureRef::parse(text);
    let _: fn(&Owned) -> &String = Owned::name;
    let _: fn(&Owned) -> &SignatureBytes = Owned::bytes;
    let _: fn(&Owned, &[u8], &ed25519_dalek::VerifyingKey) -> bool = Owned::verify;
    let _: for<'a> fn(&'a Owned) -> SignatureRef<'a> = Owned::as_ref;
    let _: fn(&SignatureRef<'static>) -> Owned = SignatureRef::to_owned;
    let _ = |error: SignatureError| match error {
        SignatureError::InvalidName(text) | SignatureError::DecodeError(text) => String::len(&text),
        SignatureError::InvalidSignatureLen(len) => len,
        SignatureError::MissingSeparator => 0,
    };

    is_value::<VerifyingKey>();
    is_shown::<VerifyingKey>();
    let _: fn(String, ed25519_dalek::VerifyingKey) -> VerifyingKey = VerifyingKey::new;
    let _: fn(&str) -> Result<VerifyingKey, VerifyingKeyError> = VerifyingKey::parse;
    let _: fn(&VerifyingKey) -> &str = VerifyingKey::name;
    let _: fn(&VerifyingKey, &str, &SignatureRef<'_>) -> bool = VerifyingKey::verify;
    let _ = |error: VerifyingKeyError| match error {
        VerifyingKeyError::InvalidName(text) | VerifyingKeyError::DecodeError(text) => String::len(&text),
        VerifyingKeyError::InvalidVerifyingKeyLen(len) => len,
        VerifyingKeyError::InvalidVerifyingKey(error) => DalekError::to_string(&error).len(),
        VerifyingKeyError::MissingSeparator => 0,
    };

    let _: fn(String, ed25519_dalek::SigningKey) -> Secret = SigningKey::new;
    let _: fn(&Secret) -> &str = SigningKey::name;
    let _: fn(&str) -> Result<(Secret, VerifyingKey), SigningKeyError> = narinfo::parse_keypair;
    let _ = |error: SigningKeyError| match error {
        SigningKeyError::InvalidName(text) | SigningKeyError::DecodeError(text) => String::len(&text),
        SigningKeyError::InvalidSigningKeyLen(len) => len,
        SigningKeyError::InvalidVerifyingKey(error) => DalekError::to_string(&error).len(),
        SigningKeyError::MissingSeparator => 0,
    };
}
