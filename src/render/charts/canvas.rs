//! Strokes on a plotters drawing area, in pixels. Colours are roles: sentinels that become CSS
//! variables in the page and fixed colours in a file.

use crate::render::escape::plain;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A colour role.
pub(super) struct Role {
    pub name: &'static str,
    /// As plotters writes it.
    pub sentinel: &'static str,
    pub light: &'static str,
}

/// Every role. The dark colours stand in style.css.
pub(super) const THEME: [Role; 10] = [
    Role { name: "chart-ink", sentinel: "#010101", light: "#1d2733" },
    Role { name: "chart-muted", sentinel: "#020202", light: "#566272" },
    Role { name: "chart-grid", sentinel: "#030303", light: "#dfe5ec" },
    Role { name: "chart-treated", sentinel: "#040404", light: "#0063a8" },
    Role { name: "chart-control", sentinel: "#050505", light: "#b44f00" },
    Role { name: "chart-band", sentinel: "#060606", light: "#cdeadb" },
    Role { name: "chart-limit", sentinel: "#070707", light: "#0a7a55" },
    Role { name: "chart-shade", sentinel: "#080808", light: "#f1f4f8" },
    Role { name: "chart-alarm", sentinel: "#090909", light: "#a31621" },
    Role { name: "chart-alarm-band", sentinel: "#0A0A0A", light: "#fde3e4" },
];

pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
pub(super) const MUTED: RGBColor = RGBColor(2, 2, 2);
pub(super) const GRID: RGBColor = RGBColor(3, 3, 3);
pub(super) const TREATED: RGBColor = RGBColor(4, 4, 4);
pub(super) const CONTROL: RGBColor = RGBColor(5, 5, 5);
pub(super) const BAND: RGBColor = RGBColor(6, 6, 6);
pub(super) const LIMIT: RGBColor = RGBColor(7, 7, 7);
pub(super) const SHADE: RGBColor = RGBColor(8, 8, 8);
pub(super) const ALARM: RGBColor = RGBColor(9, 9, 9);
pub(super) const ALARM_BAND: RGBColor = RGBColor(10, 10, 10);

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Hold {
    Start,
    Middle,
    End,
}

/// A drawing area that cannot fail: it writes into a string.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
}

/// Draws a picture of the given size.
pub(super) fn draw(width: u32, height: u32, strokes: impl FnOnce(&Canvas<'_>)) -> String {
    let mut svg = String::new();
    {
        let canvas = Canvas { area: SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area() };
        strokes(&canvas);
        drawn(canvas.area.present());
    }
    svg
}

/// A string takes every stroke: a failure would be a bug.
fn drawn<E: std::fmt::Debug>(outcome: Result<(), E>) {
    outcome.expect("a string takes every stroke");
}

/// Pixels.
pub(super) type Point = (f64, f64);

fn pixel((x, y): Point) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

impl Canvas<'_> {
    pub(super) fn line(&self, from: Point, to: Point, colour: RGBColor, width: u32) {
        self.path(&[from, to], colour, width);
    }

    pub(super) fn path(&self, points: &[Point], colour: RGBColor, width: u32) {
        let points: Vec<_> = points.iter().copied().map(pixel).collect();
        drawn(self.area.draw(&PathElement::new(points, colour.stroke_width(width))));
    }

    pub(super) fn rectangle(&self, from: Point, to: Point, colour: RGBColor) {
        drawn(self.area.draw(&Rectangle::new([pixel(from), pixel(to)], colour.filled())));
    }

    pub(super) fn dot(&self, at: Point, radius: i32, colour: RGBColor) {
        drawn(self.area.draw(&Circle::new(pixel(at), radius, colour.filled())));
    }

    pub(super) fn ring(&self, at: Point, radius: i32, colour: RGBColor) {
        drawn(self.area.draw(&Circle::new(pixel(at), radius, colour.stroke_width(2))));
    }

    /// Text held at its vertical middle, `size` pixels high.
    pub(super) fn text(&self, at: Point, text: &str, hold: Hold, size: i32, colour: RGBColor) {
        let horizontal = match hold {
            Hold::Start => HPos::Left,
            Hold::Middle => HPos::Center,
            Hold::End => HPos::Right,
        };
        // plotters writes the size divided by 1.24, the ratio of its own line height.
        let style =
            ("sans-serif", f64::from(size) * 1.24).into_font().color(&colour).pos(Pos::new(horizontal, VPos::Center));
        // No control character may stand in XML.
        drawn(self.area.draw(&Text::new(plain(text), pixel(at), style)));
    }
}
