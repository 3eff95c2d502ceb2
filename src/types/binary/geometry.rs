//! The send formats of the geometric types.
//! Must not know: their text.

use bytes::{BufMut, BytesMut};

use super::input::{Input, invalid};
use crate::error::Result;
use crate::types::encoder::field_length;
use crate::types::input::geometry::{NO_LINE, Point, Shape, corners, is_line, parse};

/// The most points a path and a polygon have in PostgreSQL.
const MAX_POINTS: i32 = (i32::MAX - 16) / 16;

fn point(input: &mut Input<'_>) -> Result<Point> {
    Ok(Point { x: input.f64()?, y: input.f64()? })
}

fn points(input: &mut Input<'_>, type_name: &str) -> Result<Vec<Point>> {
    let count = input.i32()?;
    if count <= 0 || count >= MAX_POINTS {
        return Err(invalid(format!("invalid number of points in external \"{type_name}\" value")));
    }
    (0..count).map(|_| point(input)).collect()
}

fn shown(shape: &Shape, out: &mut BytesMut) {
    shape.write(1, out);
}

/// Appends the text of a point as it was sent; those below do the same for their types.
pub(crate) fn receive_point(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    shown(&Shape::Point(point(input)?), out);
    Ok(())
}

pub(crate) fn receive_lseg(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    shown(&Shape::Segment([point(input)?, point(input)?]), out);
    Ok(())
}

pub(crate) fn receive_box(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    shown(&corners(point(input)?, point(input)?), out);
    Ok(())
}

pub(crate) fn receive_path(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let closed = input.u8()? != 0;
    shown(&Shape::Path(points(input, "path")?, closed), out);
    Ok(())
}

pub(crate) fn receive_polygon(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    shown(&Shape::Polygon(points(input, "polygon")?), out);
    Ok(())
}

pub(crate) fn receive_line(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let coefficients = [input.f64()?, input.f64()?, input.f64()?];
    if !is_line(coefficients[0], coefficients[1]) {
        return Err(invalid(NO_LINE));
    }
    shown(&Shape::Line(coefficients), out);
    Ok(())
}

pub(crate) fn receive_circle(input: &mut Input<'_>, out: &mut BytesMut) -> Result<()> {
    let (center, radius) = (point(input)?, input.f64()?);
    if radius < 0.0 {
        return Err(invalid("invalid radius in external \"circle\" value"));
    }
    shown(&Shape::Circle(center, radius), out);
    Ok(())
}

/// Sends a shape that is held as its text.
pub(crate) fn send_text(oid: u32, text: &str, out: &mut BytesMut) -> Result<()> {
    let pair = |point: &Point, out: &mut BytesMut| {
        out.put_f64(point.x);
        out.put_f64(point.y);
    };
    match parse(oid, text)? {
        Shape::Point(point) => pair(&point, out),
        Shape::Segment(points) | Shape::Box(points) => points.iter().for_each(|point| pair(point, out)),
        Shape::Path(points, closed) => {
            out.put_u8(u8::from(closed));
            out.put_i32(field_length(points.len())?);
            points.iter().for_each(|point| pair(point, out));
        }
        Shape::Polygon(points) => {
            out.put_i32(field_length(points.len())?);
            points.iter().for_each(|point| pair(point, out));
        }
        Shape::Line(coefficients) => coefficients.iter().for_each(|number| out.put_f64(*number)),
        Shape::Circle(center, radius) => {
            pair(&center, out);
            out.put_f64(radius);
        }
    }
    Ok(())
}
