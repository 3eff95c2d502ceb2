//! `to_char` of numbers: templates of digits, points, commas, FM and literal text.
//! Must not know: SQL, how numbers are held.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Nine,
    Zero,
    Point,
    Comma,
    Text(String),
}

/// A template.
#[derive(Debug, Clone, Default)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    /// Digits before the point and behind it.
    whole: usize,
    pub(super) places: usize,
    point: bool,
    /// FM: without blanks.
    tight: bool,
    /// Where zeros begin to be written, and the last place that must be.
    zeros: Option<usize>,
    last_zero: usize,
}

impl Template {
    /// Reads a template; none for what is not supported, or malformed.
    pub(super) fn parse(text: &str) -> Option<Template> {
        let mut made = Template::default();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '9' => made.digit(Piece::Nine),
                '0' => made.digit(Piece::Zero),
                '.' | 'D' | 'd' if made.point => return None,
                '.' | 'D' | 'd' => {
                    made.point = true;
                    made.pieces.push(Piece::Point);
                }
                ',' | 'G' | 'g' => made.pieces.push(Piece::Comma),
                'F' | 'f' => {
                    chars.next_if(|next| next.eq_ignore_ascii_case(&'M'))?;
                    made.tight = true;
                }
                '"' => {
                    let mut literal = String::new();
                    loop {
                        match chars.next()? {
                            '"' => break,
                            '\\' => return None,
                            c => literal.push(c),
                        }
                    }
                    made.pieces.push(Piece::Text(literal));
                }
                // Words of templates begin with these.
                '\\' => return None,
                c if "bcelmprstv".contains(c.to_ascii_lowercase()) => return None,
                c => made.pieces.push(Piece::Text(c.to_string())),
            }
        }
        Some(made)
    }

    fn digit(&mut self, piece: Piece) {
        if piece == Piece::Zero && !self.point && self.zeros.is_none() {
            self.zeros = Some(self.whole);
        }
        if self.point {
            self.places += 1
        } else {
            self.whole += 1
        }
        if piece == Piece::Zero {
            self.last_zero = self.whole + self.places;
        }
        self.pieces.push(piece);
    }

    /// A number in this template: whether it is negative, and its digits, rounded to the template's places.
    pub(super) fn write(&self, negative: bool, digits: &str) -> String {
        let length = digits.find('.').unwrap_or(digits.len());
        let hashes = format!("{}.{}", "#".repeat(self.whole), "#".repeat(self.places));
        let number = if length > self.whole { hashes.as_bytes() } else { digits.as_bytes() };
        let blanks = self.whole.saturating_sub(length);
        let mut writer = Writer {
            template: self,
            number,
            blanks,
            relevant: self.relevant(number, blanks),
            unsigned: !negative && self.tight,
            negative,
            at: 0,
            next: 0,
            inside: false,
            ended: false,
            made: String::new(),
        };
        for piece in &self.pieces {
            if writer.ended {
                break;
            }
            match piece {
                Piece::Text(text) => writer.made.push_str(text),
                Piece::Comma if writer.inside => writer.made.push(','),
                Piece::Comma if self.tight => {}
                Piece::Comma => writer.made.push(' '),
                digit => writer.digit(digit),
            }
        }
        writer.made
    }

    /// With FM: the place of the last digit behind the point that is written, or of the point.
    fn relevant(&self, number: &[u8], blanks: usize) -> Option<usize> {
        let point = number.iter().position(|byte| *byte == b'.').filter(|_| self.tight && self.point)?;
        let last = number.iter().rposition(|byte| *byte != b'0').unwrap_or(point).max(point);
        let kept = if self.last_zero > blanks { (number.len() - 1).min(self.last_zero - blanks) } else { 0 };
        Some(last.max(kept))
    }
}

/// A number on its way into a template.
struct Writer<'a> {
    template: &'a Template,
    number: &'a [u8],
    /// Places before the number.
    blanks: usize,
    relevant: Option<usize>,
    /// Whether the sign is written, or not to be.
    unsigned: bool,
    negative: bool,
    /// The place in the template, counted in digits and the point.
    at: usize,
    next: usize,
    /// Whether the last place had a digit.
    inside: bool,
    ended: bool,
    made: String,
}

impl Writer<'_> {
    fn ends_in_point(&self) -> bool {
        self.relevant.is_some_and(|at| self.number.get(at) == Some(&b'.'))
    }

    /// A zero before the point that is not shown: `.1`.
    fn hidden_zero(&self) -> bool {
        let template = self.template;
        template.zeros.is_none() && self.next == 0 && self.number.first() == Some(&b'0') && template.places != 0
    }

    fn digit(&mut self, piece: &Piece) {
        let (template, tight) = (self.template, self.template.tight);
        self.inside = false;
        let begins = self.at >= self.blanks || template.zeros == Some(self.at);
        if !self.unsigned && begins && (!self.hidden_zero() || self.ends_in_point()) {
            match (self.negative, tight) {
                (true, _) => self.made.push('-'),
                (false, false) => self.made.push(' '),
                (false, true) => {}
            }
            self.unsigned = true;
        }
        if self.at < self.blanks {
            if template.zeros.is_some_and(|zeros| zeros <= self.at) {
                self.made.push('0');
                self.inside = true;
            } else if !tight {
                self.made.push(' ');
            }
        } else {
            match self.number.get(self.next) {
                Some(b'.') => self.made.push('.'),
                _ if self.relevant.is_some_and(|last| self.next > last) && *piece != Piece::Zero => {}
                _ if self.hidden_zero() => {
                    if !tight {
                        self.made.push(' ');
                    } else if self.ends_in_point() {
                        self.made.push('0');
                    }
                }
                Some(digit) => {
                    self.made.push(char::from(*digit));
                    self.inside = true;
                }
                // PostgreSQL's text ends where it asks for a digit that is not there.
                None => self.ended = true,
            }
            self.next += usize::from(self.next < self.number.len());
        }
        self.at += 1;
    }
}
