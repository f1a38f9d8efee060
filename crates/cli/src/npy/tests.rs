use super::{dtype, dtype_of, head, header::Header, numbers};
use crate::damage::damaged;
use hard_sigmoid::{Byte, DType};

fn read(bytes: &[u8]) -> Result<Header, String> {
    Header::read(&mut &bytes[..])
}

fn with_text(text: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

#[test]
fn what_is_written_is_read() {
    let floats = [DType::F32, DType::F16, DType::Bf16].map(dtype);
    let names = floats.into_iter().chain([Byte::U8, Byte::I8].map(dtype_of));
    for shape in [&[][..], &[0], &[7], &[2, 3], &[u64::MAX; 64]] {
        for name in names.clone() {
            for is_fortran in [false, true] {
                let bytes = head(name, shape, is_fortran);
                assert_eq!(bytes.len() % 64, 0);
                let header = read(&bytes).unwrap();
                assert_eq!(
                    (&*header.dtype, header.is_fortran, &*header.shape),
                    (name, is_fortran, shape)
                );
                assert_eq!(header.bytes, bytes.len() as u64);
            }
        }
    }
}

#[test]
fn other_writers_are_read() {
    for text in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n",
        "{'descr':'<f4','fortran_order':False,'shape':(2,3)}",
        r#"  { "shape" : ( 2 , 3 , ) , "fortran_order" : False , "descr" : "<f4" } "#,
    ] {
        let header = read(&with_text(text)).unwrap();
        assert_eq!(
            (&*header.dtype, &header.shape[..], header.elements()),
            ("<f4", &[2, 3][..], Some(6))
        );
    }
    let mut second = b"\x93NUMPY\x02\x00".to_vec();
    let text = "{'descr': '<f4', 'fortran_order': True, 'shape': ()}";
    second.extend((text.len() as u32).to_le_bytes());
    second.extend(text.bytes());
    let header = read(&second).unwrap();
    assert!(header.is_fortran && header.elements() == Some(1));
}

#[test]
fn what_is_no_such_dictionary_is_refused() {
    for text in [
        "",
        "{}",
        "{,}",
        "()",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [3]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1+2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} more",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
    ] {
        assert!(read(&with_text(text)).is_err(), "{text}");
    }
}

/// Headers that are damaged in some bytes: none panics, and a message is one short line.
#[test]
fn damaged_headers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.npy");
    let mut state = 1_u32;
    let mut random = |below: usize| {
        // Numerical Recipes' generator; its upper bits are the better ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..2000 {
        let element = [DType::F32, DType::F16, DType::Bf16][random(3)];
        let shape: Vec<u64> = (0..random(4)).map(|_| random(5) as u64).collect();
        let mut file = head(dtype(element), &shape, false);
        let len = shape.iter().product::<u64>() * element.size();
        file.resize(file.len() + len as usize, 0x3f);
        for _ in 0..random(4) {
            let at = random(file.len());
            match random(5) {
                0 => file[at] = random(256) as u8,
                1 => file.truncate(at.max(1)),
                2 => file.insert(at, b"()[]{}',:0123456789-\\\n\x1b"[random(23)]),
                3 => drop(file.remove(at)),
                // Puts a piece of the dictionary into it again.
                _ => {
                    let end = (at + random(20)).min(file.len());
                    let part = file[at..end].to_vec();
                    file.splice(at..at, part);
                }
            }
            if file.is_empty() {
                break;
            }
        }
        std::fs::write(&path, &file).unwrap();
        match numbers(&path) {
            Ok(numbers) => {
                let len = numbers.shape.iter().product::<u64>();
                assert_eq!(numbers.values.len() as u64, len);
                read += 1;
            }
            Err(message) => {
                assert!(message.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{message:?}");
                let message = message.strip_prefix(&format!("{}: ", path.display())).unwrap();
                assert!(message.len() <= 200, "{message}");
                refused += 1;
            }
        }
    }
    assert!(read > 400 && refused > 400, "{read} read, {refused} refused");
}

/// A damaged file gives numbers or one line, never a panic.
#[test]
fn damaged_files_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<u8> = (0..240_u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let npy = [head(dtype(DType::F32), &[12, 20], true), values.clone()].concat();
    let npz = |method| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file("x.npy", options).unwrap();
        std::io::Write::write_all(&mut archive, &npy).unwrap();
        archive.finish().unwrap().into_inner()
    };
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![12, 20], &values).unwrap();
    for (name, whole) in [
        ("x.npy", npy.clone()),
        ("stored.npz", npz(zip::CompressionMethod::Stored)),
        ("deflated.npz", npz(zip::CompressionMethod::Deflated)),
        ("x.safetensors", safetensors::serialize([("x", view)], None).unwrap()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(numbers(&path).unwrap().values.len(), 240, "{name}");
        let result = |bytes: Vec<u8>| {
            std::fs::write(&path, bytes).unwrap();
            numbers(&path).err()
        };
        let errors: Vec<_> = damaged(&whole, 2000).map(result).collect();
        assert_eq!(errors.len(), 2000);
        let errors: Vec<_> = errors.into_iter().flatten().collect();
        assert!(errors.len() > 50, "{name}: {} refused", errors.len());
    }
}
