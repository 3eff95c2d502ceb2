//! Reads points, segments, boxes, paths, polygons, lines and circles, and writes them, as PostgreSQL does.
//! Must not know: Arrow, the send format.

use bytes::{BufMut, BytesMut};

use super::number::{invalid, is_space, parse_f64};
use crate::error::{Error, Result, SqlState};
use crate::types::text::float::write_float;

/// Numbers nearer to zero than this are zero.
const EPSILON: f64 = 1.0E-06;

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A shape of one of the geometric types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Point(Point),
    Segment([Point; 2]),
    /// The corner with the greater coordinates first.
    Box([Point; 2]),
    /// The points, and whether the last is joined to the first.
    Path(Vec<Point>, bool),
    Polygon(Vec<Point>),
    /// `ax + by + c = 0`.
    Line([f64; 3]),
    /// Centre and radius.
    Circle(Point, f64),
}

/// A line must go somewhere.
pub(crate) const NO_LINE: &str = "invalid line specification: A and B cannot both be zero";

/// Whether coefficients are of a line.
pub(crate) fn is_line(a: f64, b: f64) -> bool {
    a.abs() > EPSILON || b.abs() > EPSILON || a.is_nan() || b.is_nan()
}

/// A box of two opposite corners.
pub(crate) fn corners(a: Point, b: Point) -> Shape {
    // NaN is above everything else.
    let high = |a: f64, b: f64| if a.is_nan() || a > b { (a, b) } else { (b, a) };
    let ((x, low_x), (y, low_y)) = (high(a.x, b.x), high(a.y, b.y));
    Shape::Box([Point { x, y }, Point { x: low_x, y: low_y }])
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    type_name: &'static str,
}

impl Reader<'_> {
    fn bad(&self) -> Error {
        invalid(self.type_name, self.text)
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self, wanted: u8) -> bool {
        let found = self.peek() == wanted;
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while is_space(self.peek()) {
            self.at += 1;
        }
    }

    /// What stands behind the next sign and the blanks after it.
    fn behind(&self) -> usize {
        let rest = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        self.at + 1 + rest.iter().take_while(|byte| is_space(**byte)).count()
    }

    /// Whether this is the last left parenthesis.
    fn is_last_paren(&self) -> bool {
        self.text.rfind('(') == Some(self.at)
    }

    fn number(&mut self) -> Result<f64> {
        self.blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = number_length(rest.as_bytes());
        let digits = rest.get(..length).unwrap_or_default();
        let value = parse_f64(digits).map_err(|error| match error.state() {
            SqlState::INVALID_TEXT_REPRESENTATION => self.bad(),
            _ => error,
        })?;
        self.at += length;
        self.blanks();
        Ok(value)
    }

    fn pair(&mut self) -> Result<Point> {
        self.blanks();
        let enclosed = self.next(b'(');
        let x = self.number()?;
        if !self.next(b',') {
            return Err(self.bad());
        }
        let y = self.number()?;
        if enclosed {
            if !self.next(b')') {
                return Err(self.bad());
            }
            self.blanks();
        }
        Ok(Point { x, y })
    }

    /// Points in brackets (where they may be), in parentheses, or bare; and whether they were in brackets.
    fn points(&mut self, count: usize, may_be_open: bool) -> Result<(Vec<Point>, bool)> {
        let mut depth = 0;
        self.blanks();
        let open = self.peek() == b'[';
        if open {
            if !may_be_open {
                return Err(self.bad());
            }
            depth += 1;
            self.at += 1;
        } else if self.peek() == b'(' {
            let behind = self.behind();
            if self.text.as_bytes().get(behind) == Some(&b'(') || self.is_last_paren() {
                depth += 1;
                self.at = behind;
            }
        }
        // No more points than there are commas in the text, whatever was counted.
        let mut points = Vec::with_capacity(count.min(self.text.len()));
        for _ in 0..count {
            points.push(self.pair()?);
            self.next(b',');
        }
        while depth > 0 {
            if !(self.next(b')') || (open && depth == 1 && self.next(b']'))) {
                return Err(self.bad());
            }
            depth -= 1;
            self.blanks();
        }
        Ok((points, open))
    }

    fn end(&self) -> Result<()> {
        if self.at >= self.text.len() { Ok(()) } else { Err(self.bad()) }
    }

    /// How many points the commas make.
    fn count(&self) -> Result<usize> {
        let commas = self.text.bytes().filter(|byte| *byte == b',').count();
        if commas % 2 == 1 { Ok(commas.div_ceil(2)) } else { Err(self.bad()) }
    }

    fn two(&mut self, may_be_open: bool) -> Result<[Point; 2]> {
        let (points, _) = self.points(2, may_be_open)?;
        self.end()?;
        points.try_into().map_err(|_| self.bad())
    }

    fn path(&mut self) -> Result<Shape> {
        let count = self.count()?;
        self.blanks();
        let enclosed = self.peek() == b'(' && self.is_last_paren();
        if enclosed {
            self.at += 1;
        }
        let (points, open) = self.points(count, true)?;
        if enclosed {
            if !self.next(b')') {
                return Err(self.bad());
            }
            self.blanks();
        }
        self.end()?;
        Ok(Shape::Path(points, !open))
    }

    fn circle(&mut self) -> Result<Shape> {
        let mut depth = 0;
        self.blanks();
        if self.next(b'<') {
            depth += 1;
        } else if self.peek() == b'(' {
            let behind = self.behind();
            if self.text.as_bytes().get(behind) == Some(&b'(') {
                depth += 1;
                self.at = behind;
            }
        }
        let center = self.pair()?;
        self.next(b',');
        let radius = self.number()?;
        if radius < 0.0 {
            return Err(self.bad());
        }
        while depth > 0 {
            if !(self.next(b')') || (depth == 1 && self.next(b'>'))) {
                return Err(self.bad());
            }
            depth -= 1;
            self.blanks();
        }
        self.end()?;
        Ok(Shape::Circle(center, radius))
    }

    fn line(&mut self) -> Result<Shape> {
        let refuse = |message: &str| Err(Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message));
        self.blanks();
        if !self.next(b'{') {
            let [a, b] = self.two(true)?;
            let near = |a: f64, b: f64| a == b || (a - b).abs() <= EPSILON || (a.is_nan() && b.is_nan());
            if near(a.x, b.x) && near(a.y, b.y) {
                return refuse("invalid line specification: must be two distinct points");
            }
            let slope = if near(a.x, b.x) {
                f64::INFINITY
            } else if near(a.y, b.y) {
                0.0
            } else {
                (a.y - b.y) / (a.x - b.x)
            };
            return Ok(Shape::Line(through(a, slope)));
        }
        let mut coefficients = [0.0; 3];
        for (at, place) in coefficients.iter_mut().enumerate() {
            *place = self.number()?;
            if !self.next(if at < 2 { b',' } else { b'}' }) {
                return Err(self.bad());
            }
        }
        self.blanks();
        self.end()?;
        let [a, b, _] = coefficients;
        if is_line(a, b) { Ok(Shape::Line(coefficients)) } else { refuse(NO_LINE) }
    }
}

/// The line through a point.
fn through(point: Point, slope: f64) -> [f64; 3] {
    if slope.is_infinite() {
        [-1.0, 0.0, point.x]
    } else if slope == 0.0 {
        [0.0, -1.0, point.y]
    } else {
        let c = point.y - slope * point.x;
        // On some platforms the result is -0.
        [slope, -1.0, if c == 0.0 { 0.0 } else { c }]
    }
}

/// How many bytes strtod() would take.
fn number_length(text: &[u8]) -> usize {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let body = text.get(sign..).unwrap_or_default();
    let word = |word: &str| body.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    if let Some(found) = ["infinity", "inf", "nan"].into_iter().find(|name| word(name)) {
        return sign + found.len();
    }
    let digits = |from: usize| body.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = digits(0);
    if body.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(body.get(length), Some(b'e' | b'E')) {
        let signed = length + 1 + usize::from(matches!(body.get(length + 1), Some(b'+' | b'-')));
        if digits(signed) > 0 {
            length = signed + digits(signed);
        }
    }
    sign + length
}

/// Reads the text of a geometric type.
pub(crate) fn parse(oid: u32, text: &str) -> Result<Shape> {
    let reader = |type_name| Reader { text, at: 0, type_name };
    match oid {
        600 => {
            let mut reader = reader("point");
            let point = reader.pair()?;
            reader.end()?;
            Ok(Shape::Point(point))
        }
        601 => reader("lseg").two(true).map(Shape::Segment),
        602 => reader("path").path(),
        603 => reader("box").two(false).map(|[a, b]| corners(a, b)),
        604 => {
            let mut reader = reader("polygon");
            let (points, _) = reader.points(reader.count()?, false)?;
            reader.end()?;
            Ok(Shape::Polygon(points))
        }
        628 => reader("line").line(),
        718 => reader("circle").circle(),
        _ => Err(Error::internal("a type without a shape")),
    }
}

impl Shape {
    /// Appends its text under `extra_float_digits`.
    pub(crate) fn write(&self, digits: i32, out: &mut BytesMut) {
        let pair = |point: &Point, out: &mut BytesMut| {
            out.put_u8(b'(');
            write_float(point.x, digits, out);
            out.put_u8(b',');
            write_float(point.y, digits, out);
            out.put_u8(b')');
        };
        let list = |points: &[Point], around: &[u8], out: &mut BytesMut| {
            out.extend_from_slice(around.get(..1).unwrap_or_default());
            for (at, point) in points.iter().enumerate() {
                if at > 0 {
                    out.put_u8(b',');
                }
                pair(point, out);
            }
            out.extend_from_slice(around.get(1..).unwrap_or_default());
        };
        match self {
            Shape::Point(point) => pair(point, out),
            Shape::Segment(points) => list(points, b"[]", out),
            Shape::Box(points) => list(points, b"", out),
            Shape::Path(points, false) => list(points, b"[]", out),
            Shape::Path(points, true) | Shape::Polygon(points) => list(points, b"()", out),
            Shape::Line(coefficients) => {
                for (before, number) in b"{,,".iter().zip(coefficients) {
                    out.put_u8(*before);
                    write_float(*number, digits, out);
                }
                out.put_u8(b'}');
            }
            Shape::Circle(center, radius) => {
                out.put_u8(b'<');
                pair(center, out);
                out.put_u8(b',');
                write_float(*radius, digits, out);
                out.put_u8(b'>');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let shown = |oid: u32, text: &str| {
            let mut out = BytesMut::new();
            parse(oid, text).map(|shape| shape.write(1, &mut out)).map_err(|error| error.message().to_owned())?;
            Ok::<_, String>(String::from_utf8(out.to_vec()).unwrap())
        };
        for (oid, text, expected) in [
            (600, " ( 1 , 2.50 ) ", "(1,2.5)"),
            (600, "1,-0", "(1,-0)"),
            (600, "(inf,nan)", "(Infinity,NaN)"),
            (601, "1,2,3,4", "[(1,2),(3,4)]"),
            (601, "((1,2),(3,4))", "[(1,2),(3,4)]"),
            (603, "(1,4),(3,2)", "(3,4),(1,2)"),
            (602, "[(1,2),(3,4)]", "[(1,2),(3,4)]"),
            (602, "(1,2,3,4)", "((1,2),(3,4))"),
            (604, "(1,2),(3,4),(5,6)", "((1,2),(3,4),(5,6))"),
            (628, "{1,2,3}", "{1,2,3}"),
            (628, "(0,0),(1,1)", "{1,-1,0}"),
            (628, "[(2,0),(2,1)]", "{-1,0,2}"),
            (718, "<(1,2),3>", "<(1,2),3>"),
            (718, "1,2,3", "<(1,2),3>"),
        ] {
            assert_eq!(shown(oid, text).as_deref(), Ok(expected), "{text}");
        }
        for (oid, text) in [(600, "(1,2"), (600, "(1,2)x"), (603, "[(1,2),(3,4)]"), (604, "1,2,3"), (718, "<(1,2),-1>")]
        {
            assert!(shown(oid, text).unwrap_err().starts_with("invalid input syntax for type"), "{text}");
        }
        assert_eq!(shown(628, "{0,0,1}").unwrap_err(), NO_LINE);
        assert_eq!(shown(600, "(1e400,1)").unwrap_err(), "\"1e400\" is out of range for type double precision");
    }
}
